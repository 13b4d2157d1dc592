"""Workers of a site that start in no time: each is forked from a process that has imported all they need.

They are processes like any other and may be killed. As a program it forks one for each line `start` on
its standard input, and tells how one ended for `wait PID`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.live import ROOT, LiveSite


@dataclass
class Workers:
    """The forking process as tests speak with it."""

    process: subprocess.Popen[str]
    running: set[int] = field(default_factory=set)

    def start(self) -> int:
        """Return the process id of a new worker."""
        pid = int(self._ask("start"))
        self.running.add(pid)
        return pid

    def kill(self, pid: int) -> None:
        self._end(pid, signal.SIGKILL)

    def stop(self, pid: int) -> int:
        """Tell it to end; return its exit code."""
        return self._end(pid, signal.SIGTERM)

    def _end(self, pid: int, number: signal.Signals) -> int:
        os.kill(pid, number)
        self.running.discard(pid)
        return int(self._ask(f"wait {pid}"))

    def _ask(self, line: str) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


@contextmanager
def workers(site: LiveSite, settings: Mapping[str, str]) -> Iterator[Workers]:
    with (site.home / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.serving.workers"],
            cwd=ROOT,
            env={**site.environment, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    forking = Workers(process)
    try:
        yield forking
    finally:
        for pid in list(forking.running):
            forking.kill(pid)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=10)


def shell(site: LiveSite, code: str) -> Any:
    """Run Python on the site; return what it prints as JSON."""
    done = site.manage("shell", "--no-imports", "-c", code)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def wait_until(is_so: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def _serve() -> None:
    _import_all()
    for line in sys.stdin:
        command, *rest = line.split()
        if command == "start":
            _tell(_fork())
        else:
            _, status = os.waitpid(int(rest[0]), 0)
            _tell(os.waitstatus_to_exitcode(status))


def _tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _import_all() -> None:
    """No connection is opened and no row read: a thread would not come along."""
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "raisin_site.settings"
    django.setup()
    import endpoints.services.batches.checking
    import endpoints.services.batches.scoring
    import endpoints.services.training_jobs.working  # noqa: F401
    from endpoints.management.commands import work

    work.PAUSE_SECONDS = 0.1


def _fork() -> int:
    pid = os.fork()
    if pid:
        return pid
    from django.core.management import call_command

    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    code = 1
    try:
        call_command("work")
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    _serve()

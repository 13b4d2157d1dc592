"""A PostgreSQL server of the test's own, which it may stop and start; it knows nothing of the site."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live import free_port

DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


@dataclass(frozen=True)
class OwnPostgres:
    """A cluster in a folder of its own. PostgreSQL refuses to run as root, who becomes another user."""

    binaries: Path
    data: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        log = self.data / "server.log"
        self._run("pg_ctl", "start", "-w", "-D", self.data, "-l", log, "-o", options)

    def stop(self, mode: str) -> None:
        self._run("pg_ctl", "stop", "-m", mode, "-D", self.data)

    def make(self) -> None:
        self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync")

    def _run(self, program: str, *arguments: object) -> None:
        as_other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*as_other, str(self.binaries / program), *map(str, arguments)]
        # No pipe: the server that pg_ctl starts would keep it open.
        done = subprocess.run(
            command, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )
        assert done.returncode == 0, command


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """Start a server, and take it away with all its data. Skips where PostgreSQL is not installed."""
    found = shutil.which("initdb")
    binaries = Path(found).resolve().parent if found else next(iter(DEBIAN), None)
    if binaries is None:
        if os.environ.get("RAISIN_TEST_STRICT"):
            pytest.fail("PostgreSQL's initdb is missing")
        pytest.skip("PostgreSQL's initdb is missing")
    # Not in pytest's folder, into which the other user may not look.
    folder = Path(tempfile.mkdtemp(prefix="raisin-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    server = OwnPostgres(binaries, folder / "data", free_port())
    try:
        server.make()
        server.start()
        yield server
    finally:
        if (server.data / "postmaster.pid").exists():
            server.stop("immediate")
        shutil.rmtree(folder)

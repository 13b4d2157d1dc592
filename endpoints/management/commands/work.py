"""`manage.py work`: do what is due in the background, piece by piece, until told to stop."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from threading import Event
from types import MappingProxyType
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import close_old_connections, connection
from django.utils import timezone

from endpoints.management.base import JsonCommand
from endpoints.services import (
    away,
    deliveries,
    housekeeping,
    installation,
    mail_deliveries,
    processors,
    retention,
    working,
)
from endpoints.services.monitoring import tick
from endpoints.services.working import Worker

Chore = Callable[[Callable[[], datetime]], str | None]
"""Does one piece of what is due and says what became of it; None if nothing is due."""

CHORES: Mapping[str, Chore] = MappingProxyType(
    {
        "monitoring": tick.minutely,
        "webhooks": deliveries.deliver_one,
        "mails": mail_deliveries.deliver_one,
        "retention": retention.daily,
        "files": housekeeping.files,
        "left by others": housekeeping.left_by_others,
    }
)
PAUSE_SECONDS = 1.0
IN_WORDS = MappingProxyType({"waiting": "to be tried again", "failed": "given up"})


class Command(JsonCommand):
    help = (
        "Do the background work: score files, train, send messages to webhooks and mails, delete what is kept "
        "long enough, look for drift in new requests. "
        "Run one, or several for more speed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--once", action="store_true", help="Do what is due and end (cron).")
        parser.add_argument(
            "--beside",
            type=int,
            metavar="PID",
            help="End when this process, which started it, ends.",
        )

    def run(self, **options: Any) -> Mapping[str, Any]:
        if installation.is_empty() or installation.pending_migrations():
            raise CommandError("The database is behind the code: run `manage.py prepare`.")
        done = {name: Counter[str]() for name in (*CHORES, "jobs")}
        if self._called_from_command_line:
            processors.leave_room()
        with stop_on_signal() as stopping:
            worker = Worker(stopping=stopping)
            if options["once"]:
                work_off({**CHORES, "jobs": jobs_of(worker)}, stopping, done)
            else:
                self.say("The worker waits for work (stop with Ctrl+C).")
                self._keep_working(worker, done, options["beside"])
        return {name: dict(counts) for name, counts in done.items()}

    def present(self, facts: Mapping[str, Any]) -> str:
        return "\n".join(f"{name}: {in_words(counts)}" for name, counts in facts.items())

    def _keep_working(
        self, worker: Worker, done: Mapping[str, Counter[str]], beside: int | None
    ) -> None:
        """Long jobs have a thread of their own, so that messages and checks go on beside them."""
        chores = chores_beside(beside, worker.stopping)
        with ThreadPoolExecutor(1, "jobs") as beside_chores:
            jobs = beside_chores.submit(
                self._until_stopped, {"jobs": jobs_of(worker)}, worker.stopping, done
            )
            self._until_stopped(chores, worker.stopping, done)
        jobs.result()  # raises what ended it

    def _until_stopped(
        self, chores: Mapping[str, Chore], stopping: Event, done: Mapping[str, Counter[str]]
    ) -> None:
        """A database that is away for a while must not end the worker; whatever else ends one thread ends both."""
        try:
            while not stopping.is_set():
                close_old_connections()
                try:
                    work_off(chores, stopping, done)
                except away.ERRORS as error:
                    self.say(f"The database does not answer, trying again: {error}")
                stopping.wait(PAUSE_SECONDS)
        finally:
            stopping.set()
            connection.close()


def chores_beside(parent: int | None, stopping: Event) -> dict[str, Chore]:
    """Look for the parent first: the other chores may have no database any more."""
    return {"parent": partial(end_with, parent, stopping), **CHORES}


def end_with(parent: int | None, stopping: Event, clock: Callable[[], datetime]) -> None:
    """Stop once the process that started this one is gone."""
    if parent is not None and os.getppid() != parent:
        stopping.set()


def jobs_of(worker: Worker) -> Chore:
    """Return what does one job as this worker."""

    def job(clock: Callable[[], datetime]) -> str | None:
        working.current.set(worker)
        return working.run_one()

    return job


def work_off(
    chores: Mapping[str, Chore], stopping: Event, done: Mapping[str, Counter[str]]
) -> None:
    """Do a piece of each chore in turn until nothing is due; a signal lets the present piece end."""
    busy = True
    while busy and not stopping.is_set():
        busy = False
        for name, chore in chores.items():
            outcome = None if stopping.is_set() else chore(timezone.now)
            if outcome is not None:
                done[name][outcome] += 1
                busy = True


@contextmanager
def stop_on_signal() -> Iterator[Event]:
    stopping = Event()
    signals = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: stopping.set()) for number in signals]
    try:
        yield stopping
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


def in_words(counts: Mapping[str, int]) -> str:
    told = (f"{count} {IN_WORDS.get(outcome, outcome)}" for outcome, count in counts.items())
    return ", ".join(told) or "nothing was due"

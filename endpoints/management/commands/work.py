"""`manage.py work`: do what is due in the background, piece by piece, until told to stop."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from threading import Event
from types import MappingProxyType
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError, close_old_connections
from django.utils import timezone

from endpoints.management.base import JsonCommand
from endpoints.services import deliveries, installation, mail_deliveries, retention
from endpoints.services.monitoring import tick

Job = Callable[[Callable[[], datetime]], str | None]
"""Does one piece of what is due and says what became of it; None if nothing is due."""

JOBS: Mapping[str, Job] = MappingProxyType(
    {
        "monitoring": tick.minutely,
        "webhooks": deliveries.deliver_one,
        "mails": mail_deliveries.deliver_one,
        "retention": retention.daily,
    }
)
PAUSE_SECONDS = 1.0
IN_WORDS = MappingProxyType({"waiting": "to be tried again", "failed": "given up"})


class Command(JsonCommand):
    help = (
        "Do the background work: send messages to webhooks and mails, delete what is kept long enough, look for "
        "drift in new requests. "
        "Run one, or several for more speed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--once", action="store_true", help="Do what is due and end (cron).")

    def run(self, **options: Any) -> Mapping[str, Any]:
        if installation.is_empty() or installation.pending_migrations():
            raise CommandError("The database is behind the code: run `manage.py prepare`.")
        done = {name: Counter[str]() for name in JOBS}
        with stop_on_signal() as stopping:
            if options["once"]:
                work_off(stopping, done)
            else:
                self.say("The worker waits for work (stop with Ctrl+C).")
                self._keep_working(stopping, done)
        return {name: dict(counts) for name, counts in done.items()}

    def present(self, facts: Mapping[str, Any]) -> str:
        return "\n".join(f"{name}: {in_words(counts)}" for name, counts in facts.items())

    def _keep_working(self, stopping: Event, done: Mapping[str, Counter[str]]) -> None:
        """A database that is away for a while must not end the worker."""
        while not stopping.is_set():
            close_old_connections()
            try:
                work_off(stopping, done)
            except OperationalError as error:
                self.say(f"The database does not answer, trying again: {error}")
            stopping.wait(PAUSE_SECONDS)


def work_off(stopping: Event, done: Mapping[str, Counter[str]]) -> None:
    """Do a piece of each job in turn until nothing is due; a signal lets the present piece end."""
    busy = True
    while busy and not stopping.is_set():
        busy = False
        for name, job in JOBS.items():
            outcome = None if stopping.is_set() else job(timezone.now)
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

"""Databases that go away under load: callers are told to come again, and nothing answered is lost."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.live import ROW, LiveSite, free_port
from tests.serving.kept import check_answers_are_kept
from tests.serving.load import PREDICT, Load, load
from tests.serving.own_postgres import OwnPostgres, own_postgres

pytestmark = pytest.mark.process

GONE_SECONDS = 10.0
BACK_WITHIN = 5.0
CONNECTIONS = 4
MAKE_KEY = """
from django.contrib.auth.models import User
from django.utils import timezone
from endpoints.services import keys
admin = User.objects.get(is_superuser=True)
print(keys.create(name="load", scopes=["predict"], endpoint=None, user=admin, now=timezone.now())[1])
"""


@contextmanager
def served(site: LiveSite) -> Iterator[LiveSite]:
    site.manage_json("demo")
    site.start()
    try:
        yield site
    finally:
        site.stop()


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnPostgres]:
    with own_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def on_postgres(
    postgres: OwnPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveSite]:
    home = tmp_path_factory.mktemp("home")
    with served(LiveSite(home, free_port(), database_url=postgres.url)) as site:
        yield site


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[LiveSite]:
    with served(LiveSite(tmp_path, free_port())) as site:
        yield site


def new_key(site: LiveSite) -> str:
    return site.manage("shell", "--no-imports", "-c", MAKE_KEY).stdout.strip()


def seconds_until_answered(running: Load) -> float:
    """Wait until callers get answers again."""
    began, answered = time.monotonic(), len(running.received)
    while len(running.received) < answered + 20:
        assert time.monotonic() < began + 120, running.refused
        time.sleep(0.01)
    return time.monotonic() - began


def check_callers_were_told_to_come_again(running: Load) -> None:
    assert set(running.refused) == {503}
    assert running.without_retry_after == 0
    assert running.not_json == []
    assert running.broken == 0


@pytest.mark.parametrize(("mode", "seconds"), [("immediate", GONE_SECONDS), ("fast", 5.0)])
def test_it_outlives_a_postgresql_that_stops(
    mode: str, seconds: float, on_postgres: LiveSite, postgres: OwnPostgres
) -> None:
    keys = ["", new_key(on_postgres)]
    with load(on_postgres, connections=CONNECTIONS, keys=keys) as running:
        seconds_until_answered(running)
        postgres.stop(mode)
        time.sleep(seconds)
        postgres.start()
        assert seconds_until_answered(running) < BACK_WITHIN
    check_callers_were_told_to_come_again(running)
    check_answers_are_kept(on_postgres, running.received)


def test_it_outlives_a_log_that_is_locked(on_sqlite: LiveSite) -> None:
    file = on_sqlite.home / "raisin-log.sqlite3"
    with load(on_sqlite, connections=CONNECTIONS, keys=["", new_key(on_sqlite)]) as running:
        seconds_until_answered(running)
        with closing(sqlite3.connect(file, isolation_level=None, timeout=5)) as other:
            other.execute("BEGIN EXCLUSIVE")
            time.sleep(GONE_SECONDS)
        assert seconds_until_answered(running) < BACK_WITHIN
    check_callers_were_told_to_come_again(running)
    check_answers_are_kept(on_sqlite, running.received)


def test_it_starts_while_postgresql_is_away(on_postgres: LiveSite, postgres: OwnPostgres) -> None:
    on_postgres.stop()
    postgres.stop("fast")
    on_postgres.start("--skip-prepare")
    assert on_postgres.post(PREDICT, ROW)[0] == 503
    postgres.start()
    with load(on_postgres, connections=1) as running:
        assert seconds_until_answered(running) < BACK_WITHIN

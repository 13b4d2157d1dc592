"""Writers that commit units at the same time, on both databases: each unit is new once, and nobody waits for ever."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator

import pytest
from django.db import connection

from endpoints.models import ABTraffic
from endpoints.services.arm_tallies import Tried
from endpoints.services.log_tables import Counted, open_tables
from endpoints.services.tallies import Tallies

pytestmark = pytest.mark.django_db(transaction=True)

ARMS = (901, 902)
WRITERS, COMMITS, UNITS = 4, 25, 150
A_COMMIT = 40


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """No test's transaction takes back what these commit."""
    yield
    with connection.cursor() as cursor:
        for table in ("endpoints_abtraffic", "endpoints_abunit"):
            cursor.execute(f"DELETE FROM {table} WHERE arm_id IN (901, 902)")


def write(seed: int, errors: list[Exception]) -> None:
    chance, tables, tallies = random.Random(seed), open_tables(), Tallies()
    try:
        for _ in range(COMMITS):
            tried = [
                Tried(chance.choice(ARMS), f"user-{chance.randrange(UNITS)}", 1, 30)
                for _ in range(A_COMMIT)
            ]
            arms = tallies.arms.with_these(tried)
            tables.write([], Counted(tallies.writer, {}, arms))
            tallies.arms.keep(arms)
    except Exception as error:
        errors.append(error)
    finally:
        connection.close()


def test_it_works() -> None:
    errors: list[Exception] = []
    writers = [threading.Thread(target=write, args=(seed, errors)) for seed in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert errors == []
    rows = ABTraffic.objects.filter(arm_id__in=ARMS)
    assert len({row.writer for row in rows}) == WRITERS
    assert sum(row.requests for row in rows) == WRITERS * COMMITS * A_COMMIT
    with connection.cursor() as cursor:
        for arm in ARMS:
            cursor.execute("SELECT count(*) FROM endpoints_abunit WHERE arm_id = %s", [arm])
            [[named]] = cursor.fetchall()
            assert sum(row.units for row in rows if row.arm_id == arm) == named == UNITS

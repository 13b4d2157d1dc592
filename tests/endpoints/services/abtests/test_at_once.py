"""Labels come while a test gets other shares, is looked at by the clock and ends: nobody waits in a circle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from endpoints.models import ABTest, Endpoint, PredictionRequest, RollUp
from endpoints.services import lifecycle
from endpoints.services.abtests import starting, stopping, ticking
from endpoints.services.abtests.stopping import Stop
from tests.endpoints.services.abtests import trial
from tests.endpoints.services.abtests.counted import A, Asked, B, Said, check, label, log
from tests.endpoints.services.abtests.planned import ALEX, REASON, a_test, challenger
from tests.endpoints.services.abtests.test_starting import at_once
from tests.endpoints.services.decisions import NOON, decision

pytestmark = pytest.mark.django_db(transaction=True)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture(autouse=True)
def emptied_log(transactional_db: None) -> Iterator[None]:
    """A flush empties the tables that Django made, and the log's it did not make."""
    yield
    PredictionRequest.objects.all().delete()
    RollUp.objects.all().delete()


def stop(test: ABTest) -> None:
    said = Stop(conclusion="inconclusive", reason=REASON)
    stopping.stop(test, said, actor=ALEX, now=NOON + 3 * HOUR)


def promote(test: ABTest) -> None:
    lifecycle.promote(version=challenger(test.endpoint), decision=decision(minutes=180))


@pytest.mark.parametrize("end", [stop, promote])
@pytest.mark.parametrize("hours", [0, 1])
def test_it_works(raisin: Endpoint, end: Callable[[ABTest], None], hours: int) -> None:
    test = a_test(raisin, kind="split", maturation_hours=hours)
    asked = [
        Asked((Said(n % 2),), arm=(A, B)[n % 2], unit=("", "u1", "u2")[n % 3], at=NOON + n * MINUTE)
        for n in range(40)
    ]
    ids = log(test, asked)

    def label_all(turns: range) -> None:
        for turn in turns:
            order = ids if turn % 2 else ids[::-1]
            label([(pk, 0, (turn + n) % 2) for n, pk in enumerate(order)])

    def govern() -> None:
        running = ABTest.objects.get()
        for turn, share in enumerate((2_000, 3_000, 4_000)):
            starting.change_share(running, share, reason=REASON, actor=ALEX, now=NOON)
            ticking.tick(running, NOON + HOUR + 15 * turn * MINUTE)
        end(running)

    outcomes = at_once(lambda: label_all(range(3)), lambda: label_all(range(3, 6)), govern)
    assert outcomes == ["done"] * 3
    check(test)
    ticking.tick(ABTest.objects.get(), NOON + 9 * HOUR)
    check(test)
    first = test.phases.get(number=1)
    assert sum(arm.labels for arm in first.arms.all()) == 40
    assert sum(arm.labels for arm in trial.arms(test).values()) == 0

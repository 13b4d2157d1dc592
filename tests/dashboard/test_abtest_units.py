"""What pages say of a test that has labels enough, but of too few units."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.presenters import abtest, abtest_words
from endpoints.services.abtests.analysis import ABReport
from tests.endpoints.services.abtests.made_up import BETTER, judge, split

FEW = {"units": 49, "sum_x": 900.0, "sum_n": 1_000.0}
FEW |= {"sum_xx": 16_600.0, "sum_xn": 18_400.0, "sum_nn": 20_500.0}


def report(**plan: Any) -> ABReport:
    return judge(split(BETTER[0], BETTER[1] | FEW), **plan)


def test_it_works() -> None:
    found = abtest_words.banner(report())
    assert found.title == "Keep running"
    assert "1,000 of 5,000 labels per arm, about 8 days left." in found.texts[0]
    hidden = "hidden until 50 labelled units per arm, to avoid stopping early"
    assert found.texts[1] == f"The result is {hidden}."
    assert abtest.told(report()).hidden == hidden


def test_the_horizon_waits_for_them() -> None:
    found = abtest_words.banner(report(horizon=1_000))
    assert found.title == "Keep running"
    assert "1,000 of 1,000 labels per arm, but from 49 of the 50 units" in found.texts[0]


def test_the_last_day_does_not_wait() -> None:
    found = abtest_words.banner(report(most_days=2))
    assert found.title == "Inconclusive"
    assert found.texts[0] == "There are 49 of the 50 labelled units per arm it needs at least."


@pytest.mark.parametrize("least", [1_001, 2_000])
def test_labels_are_asked_for_first(least: int) -> None:
    found = abtest_words.banner(report(minimum_labels=least))
    assert f"hidden until {least:,} labels per arm" in found.texts[1]

"""A bandit on its pages: planned with a floor, its shares phase by phase, and where the traffic goes by now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from endpoints.models import ABTest, Endpoint
from endpoints.services.abtests import ticking
from tests.dashboard import tested
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, text_of
from tests.dashboard.test_abtest_plans import NEW, PLAN
from tests.endpoints.services.abtests import trial


def a_bandit(endpoint: Endpoint, **facts: Any) -> ABTest:
    return tested.split_test(endpoint, **{"kind": "bandit", "brier_margin": None} | facts)


def steered(endpoint: Endpoint) -> ABTest:
    """Return a bandit in its second phase, in which most of the units are B's."""
    test = a_bandit(endpoint, right=(420, 450), labels=(500, 500), units=(600, 600))
    ticking.tick(test, timezone.now() - timedelta(hours=2))
    a, b = trial.arms(test).values()
    tested.count_labels(a, right=3, labels=5)
    tested.count_labels(b, right=40, labels=45)
    tested.count_traffic(a, units=6)
    tested.count_traffic(b, units=54)
    return test


def test_it_works(raisin: Endpoint, eve: User, browse: Browse) -> None:
    test = steered(raisin)
    response = browse(eve).get(f"/tests/{test.pk}/")
    said = text_of(response)
    assert "Bandit, 94.8 % to B" in said
    assert "It serves mostly B: 94.8 % of the units go to B" in said
    assert "P(best) of B >99.9 % of A <0.1 %; sets the shares" in said
    assert "Labels still out 210 A 101, B 109 rows" in said
    assert "Shares over time" in said
    assert "now 99.8 % 5 60.0 % 45 88.9 %" in said
    assert "planned 500 84.0 % 500 90.0 %" in said
    assert "Change share" not in response.content.decode()
    assert "weighed by Mantel and Haenszel" in said
    assert_clean(response)


def test_it_is_planned_with_a_floor(raisin: Endpoint, dana: User, browse: Browse) -> None:
    plan = PLAN | {"kind": "bandit", "challenger_share": "50", "floor": "12.5"}
    response = browse(dana).post(NEW, plan, follow=True)
    test = ABTest.objects.get()
    assert (test.kind, test.floor) == ("bandit", 1_250)
    said = text_of(response)
    assert "the better one gets more and more of the units, the other keeps 12.5 %" in said
    assert "one arm at its floor" in said
    edited = browse(dana).get(f"/tests/{test.pk}/edit/")
    assert edited.context["form"]["floor"].value() == 12.5


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"metric": "f1"}, "metric", "choose accuracy"),
        ({"challenger_share": "2"}, "challenger_share", "keeps 500 basis points at least"),
        ({"floor": "50"}, "floor", "less than or equal to 49"),
    ],
)
def test_what_makes_no_bandit_is_said_beside_the_field(
    raisin: Endpoint,
    dana: User,
    browse: Browse,
    changes: dict[str, str],
    field: str,
    said: str,
) -> None:
    plan = PLAN | {"kind": "bandit", "challenger_share": "50"} | changes
    response = browse(dana).post(NEW, plan)
    assert response.status_code in (400, 422)
    assert said in " ".join(response.context["form"].errors[field])


def test_too_few_labels_hide_which_arm_is_ahead(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    test = a_bandit(raisin, right=(40, 45), labels=(50, 50), units=(60, 60))
    said = text_of(browse(eve).get(f"/tests/{test.pk}/"))
    assert "hidden until 100 labels per arm" in said
    assert "It serves" not in said
    assert "P(best)" not in said
    assert "80.0 %" not in said


@pytest.mark.parametrize("wrong", [{"units": (900, 600)}, {"errors": (0, 200)}])
def test_what_is_wrong_with_it_freezes_its_shares(
    raisin: Endpoint, eve: User, browse: Browse, wrong: dict[str, Any]
) -> None:
    facts = {"right": (420, 450), "labels": (500, 500), "units": (600, 600)} | wrong
    test = a_bandit(raisin, **facts)
    ticking.tick(test, timezone.now())
    said = text_of(browse(eve).get(f"/tests/{test.pk}/"))
    assert "The shares stay as they were last: 50.0 % of the units go to B" in said


def test_starting_says_that_the_shares_will_move(
    raisin: Endpoint, dana: User, alex: User, browse: Browse
) -> None:
    plan = PLAN | {"kind": "bandit", "challenger_share": "50"}
    browse(dana).post(NEW, plan)
    said = text_of(browse(alex).get(f"/tests/{ABTest.objects.get().pk}/start/"))
    assert "the one that is right more often gets more of them, the other 5 % at least" in said

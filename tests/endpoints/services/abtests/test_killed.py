"""A process killed at any statement leaves a test as it was or as it shall be; on both databases."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from endpoints.models import ABArm, ABPhase, ABTest, Endpoint, Status, StatusChange
from endpoints.services import gates, lifecycle
from endpoints.services.abtests import starting, stopping
from endpoints.services.abtests.stopping import Stop
from tests import cast
from tests.endpoints.services.abtests.planned import ALEX, B_BETTER, REASON, a_draft, labelled
from tests.endpoints.services.decisions import NOON, decision
from tests.endpoints.services.killed import killed_at

pytestmark = pytest.mark.django_db(transaction=True)
Act = Callable[[Endpoint], object]


@pytest.fixture(autouse=True)
def no_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    """They only read, and would be evaluated before every kill."""
    monkeypatch.setattr(gates, "evaluate", lambda *_, **__: [])


def drafted(slug: str) -> Endpoint:
    """Return an endpoint with v1 in production and the draft of a test of v2."""
    endpoint = cast.an_endpoint(slug)
    first = cast.registered_version(endpoint, status=Status.PRODUCTION, lambda_=0.1)
    cast.registered_version(endpoint, status=Status.STAGING, run=first.run)
    a_draft(endpoint, kind="split", auto_promote=True)
    return endpoint


def running(slug: str) -> Endpoint:
    endpoint = drafted(slug)
    start(endpoint)
    labelled(only(endpoint), **B_BETTER)
    return endpoint


def only(endpoint: Endpoint) -> ABTest:
    return ABTest.objects.get(endpoint=endpoint)


def start(endpoint: Endpoint) -> None:
    starting.start(only(endpoint), actor=ALEX, now=NOON)


def share(endpoint: Endpoint) -> None:
    starting.change_share(only(endpoint), 2_000, reason=REASON, actor=ALEX, now=NOON)


def stop(endpoint: Endpoint) -> None:
    said = Stop(conclusion="inconclusive", reason=REASON)
    stopping.stop(only(endpoint), said, actor=ALEX, now=NOON)


def promote(endpoint: Endpoint) -> None:
    lifecycle.promote(version=endpoint.versions.get(number=2), decision=decision())


def archive(endpoint: Endpoint) -> None:
    lifecycle.archive(version=endpoint.versions.get(number=1), decision=decision())


def state_of(endpoint: Endpoint) -> list[Any]:
    tests = ABTest.objects.filter(endpoint=endpoint)
    phases = ABPhase.objects.filter(test__in=tests).order_by("number")
    arms = ABArm.objects.filter(phase__in=phases).order_by("pk")
    return [
        dict(endpoint.versions.values_list("number", "status")),
        list(tests.values_list("state", "control__number", "conclusion", "summary__banner")),
        list(phases.values_list("number", "challenger_share", "ended_at")),
        list(arms.values_list("phase__number", "name", "version__number")),
        list(
            StatusChange.objects.of(endpoint).order_by("id").values_list("verb", "version__number")
        ),
        list(endpoint.events.order_by("id").values_list("verb", flat=True)),
        Endpoint.objects.get(pk=endpoint.pk).revision,
    ]


@pytest.mark.parametrize(
    ("prepare", "act", "verbs"),
    [
        (drafted, start, ["start_abtest", "start_test"]),
        (running, share, ["change_share"]),
        (running, stop, ["stop_abtest", "stop_test"]),
        (running, promote, ["stop_abtest", "replace", "promote"]),
        (running, archive, ["stop_abtest", "stop_test", "archive"]),
    ],
)
def test_it_works(prepare: Callable[[str], Endpoint], act: Act, verbs: list[str]) -> None:
    whole = prepare("whole")
    old = state_of(whole)
    act(whole)
    new = state_of(whole)
    assert new[5] == [*old[5], *verbs]
    endpoint = prepare("killed-at-1")
    for point in itertools.count(1):
        ended = killed_at(point, lambda: act(endpoint))  # noqa: B023  called before the next turn
        state = state_of(endpoint)
        assert state in (old, new), f"torn at point {point}"
        if ended:
            assert point > 8
            assert state == new
            return
        if state == new:
            endpoint = prepare(f"killed-at-{point + 1}")


def test_the_clock_takes_up_what_was_killed() -> None:
    endpoint = running("raisin")
    for point in itertools.count(1):
        if killed_at(point, lambda: stopping.auto(only(endpoint), NOON)):
            break
    assert only(endpoint).conclusion == "b_wins"
    assert dict(endpoint.versions.values_list("number", "status")) == {
        1: "archived",
        2: "production",
    }
    assert endpoint.events.filter(verb="stop_abtest").count() == 1

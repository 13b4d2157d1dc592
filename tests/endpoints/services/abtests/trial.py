"""Running A/B tests for tests, made without the services that start them."""

from __future__ import annotations

from typing import Any

from django.db.models import F

from endpoints.models import (
    ABArm,
    ABPhase,
    ABTest,
    ABTraffic,
    AlgorithmVersion,
    Endpoint,
    Status,
)
from endpoints.models.abcount import ArmName
from endpoints.models.abtest import TestState
from endpoints.services import histograms
from endpoints.services.histograms import Counts
from tests import cast

SALT = "abtest-1"


def running_test(
    endpoint: Endpoint,
    challenger: AlgorithmVersion,
    *,
    kind: str = "shadow",
    share: int = 5_000,
    **plan: Any,
) -> ABTest:
    """Return a test of the version in production against the challenger, in its first phase.

    Share: of the units that the challenger answers, in basis points. Plan: fields of ABTest.
    """
    AlgorithmVersion.objects.filter(pk=challenger.pk).update(status=Status.AB_TESTING)
    control = endpoint.versions.in_production().get()
    facts = {"title": "v1 or v2", "salt": SALT, "horizon": 1_000, "created_by_name": "dana"}
    test = ABTest.objects.create(
        endpoint=endpoint,
        kind=kind,
        state=TestState.RUNNING,
        control=control,
        challenger=challenger,
        started_at=cast.THEN,
        **facts | plan,
    )
    new_phase(test, share=share)
    return test


def new_phase(test: ABTest, *, share: int = 5_000) -> ABPhase:
    """End the present phase, if there is one, and begin the next."""
    test.phases.filter(ended_at=None).update(ended_at=cast.THEN)
    phase = ABPhase.objects.create(
        test=test,
        number=test.phases.count() + 1,
        challenger_share=share,
        started_at=cast.THEN,
    )
    ABArm.objects.create(phase=phase, name=ArmName.CONTROL, version=test.control)
    ABArm.objects.create(phase=phase, name=ArmName.CHALLENGER, version=test.challenger)
    tell_servers(test)
    return phase


def stop(test: ABTest) -> None:
    test.state, test.conclusion = TestState.STOPPED, "inconclusive"
    test.stopped_at = cast.THEN
    test.save()
    tell_servers(test)


def tell_servers(test: ABTest) -> None:
    """Whoever remembers the endpoint sees by its revision that something has changed."""
    Endpoint.objects.filter(pk=test.endpoint_id).update(revision=F("revision") + 1)


def arms(test: ABTest) -> dict[str, ABArm]:
    """Return the arms of the newest phase, by name."""
    phase = test.phases.order_by("-number").first()
    assert phase is not None
    return {arm.name: arm for arm in phase.arms.all()}


def traffic(test: ABTest) -> dict[str, dict[str, int]]:
    """What all writers together counted of the newest phase, by arm; `timed` are those with a latency."""
    found = {}
    for name, arm in arms(test).items():
        rows = list(ABTraffic.objects.filter(arm=arm))
        found[name] = {
            column: sum(getattr(row, column) for row in rows)
            for column in ("requests", "rows", "units", "errors", "agreed")
        }
        found[name]["timed"] = sum(sum(row.latencies.values()) for row in rows)
    return found


def latencies(test: ABTest) -> dict[str, Counts]:
    """The buckets of the newest phase, by arm."""
    found: dict[str, Counts] = {}
    for name, arm in arms(test).items():
        found[name] = {}
        for row in ABTraffic.objects.filter(arm=arm):
            histograms.add(found[name], row.latencies)
    return found

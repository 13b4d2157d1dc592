"""Drafts and started tests made by the services, and counters as labels would have left them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from endpoints.models import ABArm, ABTest, ABTraffic, AlgorithmVersion, Endpoint
from endpoints.services.abtests import drafting, starting
from endpoints.services.access import Caller
from tests.endpoints.services.decisions import NOON

ALEX = Caller(system="alex")
REASON = "enough labels by now"


def challenger(endpoint: Endpoint) -> AlgorithmVersion:
    return endpoint.versions.get(number=2)


def a_draft(endpoint: Endpoint, *, share: int = 5_000, **plan: Any) -> ABTest:
    """Return a draft that compares v2 with whatever will be in production."""
    facts = {"title": "v1 or v2", "challenger": challenger(endpoint), "horizon": 1_000} | plan
    test = ABTest(endpoint=endpoint, **facts)
    return drafting.create(test, actor=ALEX, now=NOON, challenger_share=share)


def a_test(endpoint: Endpoint, *, now: datetime = NOON, **plan: Any) -> ABTest:
    """Return a test that has been started."""
    return starting.start(a_draft(endpoint, **plan), actor=ALEX, now=now)


def arm(test: ABTest, name: str) -> ABArm:
    return ABArm.objects.get(phase=test.phases.latest("number"), name=name)


def labelled(test: ABTest, *, a: tuple[int, int], b: tuple[int, int]) -> None:
    """Let so many labels of each arm have been right, and so many wrong."""
    for name, (right, wrong) in {"control": a, "challenger": b}.items():
        units = right + wrong
        ABArm.objects.filter(pk=arm(test, name).pk).update(
            tn=right, fp=wrong, units=units, sum_x=right, sum_n=units,
            sum_xx=right, sum_xn=right, sum_nn=units,
        )  # fmt: skip


def asked(test: ABTest, *, a: int, b: int, errors: int = 0) -> None:
    """Let so many units have asked each arm once; errors are of the challenger."""
    for name, units in {"control": a, "challenger": b}.items():
        failed = errors if name == "challenger" else 0
        ABTraffic.objects.create(
            arm=arm(test, name), writer="tests", requests=units, rows=units, units=units,
            errors=failed, agreed=0, latencies={},
        )  # fmt: skip


B_BETTER = {"a": (400, 100), "b": (480, 20)}
B_WORSE = {"a": (480, 20), "b": (400, 100)}
ALIKE = {"a": (450, 50), "b": (451, 49)}

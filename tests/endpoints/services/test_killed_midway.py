"""A process killed at any statement of a change leaves the old state in whole or the new one; on both databases."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from endpoints.models import Endpoint, Status, StatusChange, Webhook, WebhookDelivery
from endpoints.services import lifecycle
from tests.cast import SYSTEM, an_endpoint, registered_version
from tests.endpoints.services.decisions import NOON, decision
from tests.endpoints.services.killed import killed_at

pytestmark = pytest.mark.django_db(transaction=True)

Act = Callable[[Endpoint], object]


@dataclass(frozen=True)
class State:
    """All that a change of status writes at one endpoint, as another connection sees it."""

    statuses: dict[int, str]
    changes: list[tuple[Any, ...]]
    events: list[tuple[Any, ...]]
    requests: list[tuple[Any, ...]]
    deliveries: int
    revision: int


def state_of(endpoint: Endpoint) -> State:
    changes = StatusChange.objects.of(endpoint).order_by("id")
    versions = endpoint.versions.order_by("number")
    return State(
        statuses=dict(versions.values_list("number", "status")),
        changes=list(changes.values_list("verb", "version__number", "from_status", "to_status")),
        events=list(endpoint.events.order_by("id").values_list("verb", "after")),
        requests=list(versions.values_list("promotion_requests__outcome", "number")),
        deliveries=WebhookDelivery.objects.filter(webhook__endpoint=endpoint).count(),
        revision=Endpoint.objects.get(pk=endpoint.pk).revision,
    )


def asked_for(slug: str) -> Endpoint:
    """Return an endpoint with v1 in production, v2 asked for, and somebody outside to tell."""
    endpoint = an_endpoint(slug)
    Webhook.objects.create(name=slug, url="https://example.org/raisin", endpoint=endpoint)
    first = registered_version(endpoint, status=Status.PRODUCTION, lambda_=0.1)
    second = registered_version(endpoint, run=first.run)
    lifecycle.request_promotion(version=second, decision=decision())
    return endpoint


def promoted(slug: str) -> Endpoint:
    """Return an endpoint with v2 in production, where v1 was before."""
    endpoint = asked_for(slug)
    promote(endpoint)
    return endpoint


def promote(endpoint: Endpoint) -> None:
    version = endpoint.versions.select_related("endpoint").get(number=2)
    lifecycle.promote(version=version, decision=decision(minutes=1, seen=1))


def roll_back(endpoint: Endpoint) -> None:
    lifecycle.roll_back(endpoint=endpoint, decision=decision(minutes=2, seen=2))


def register(endpoint: Endpoint) -> None:
    run = endpoint.versions.get(number=1).run
    lifecycle.register(run=run, endpoint=endpoint, actor=SYSTEM, now=NOON)


def survived(prepare: Callable[[str], Endpoint], act: Act) -> tuple[State, State, int]:
    """Kill it at every point; return the two states between which there was none, and the kills."""
    whole = prepare("whole")
    old = state_of(whole)
    act(whole)
    new = state_of(whole)
    endpoint = prepare("killed-at-1")
    for point in itertools.count(1):
        ended = killed_at(point, lambda: act(endpoint))  # noqa: B023  called before the next turn
        state = state_of(endpoint)
        assert state in (old, new), f"torn at point {point}"
        if ended:
            assert state == new
            return old, new, point - 1
        if state == new:
            endpoint = prepare(f"killed-at-{point + 1}")
    raise AssertionError


def added(old: State, new: State) -> list[tuple[str, int]]:
    """The verbs and versions of the new rows; the audit log and the messages must tell the same."""
    changes = new.changes[len(old.changes) :]
    events = new.events[len(old.events) :]
    told = [(verb, number) for verb, number, _, _ in changes]
    assert [(verb, after["version"]) for verb, after in events] == told
    assert new.deliveries == old.deliveries + len(told)
    assert new.revision == old.revision + 1
    return told


def test_a_promotion_is_whole_or_not_at_all() -> None:
    old, new, kills = survived(asked_for, promote)
    assert (old.statuses, new.statuses) == (
        {1: Status.PRODUCTION, 2: Status.STAGING},
        {1: Status.ARCHIVED, 2: Status.PRODUCTION},
    )
    assert added(old, new) == [("replace", 1), ("promote", 2)]
    assert (old.requests, new.requests) == ([(None, 1), ("", 2)], [(None, 1), ("promoted", 2)])
    assert kills > 10


def test_a_rollback_is_whole_or_not_at_all() -> None:
    old, new, kills = survived(promoted, roll_back)
    assert new.statuses == {1: Status.PRODUCTION, 2: Status.ARCHIVED}
    assert added(old, new) == [("replace", 2), ("roll_back", 1)]
    assert kills > 10


def test_a_registration_is_whole_or_not_at_all() -> None:
    old, new, kills = survived(asked_for, register)
    assert new.statuses == old.statuses | {3: Status.TESTING}
    assert added(old, new) == [("register", 3)]
    assert kills > 5

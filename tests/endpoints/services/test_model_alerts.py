"""A promoted version that cannot be used is told of once: an event, a message, and both again when it can."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection

from endpoints.models import Endpoint, Event, Webhook, WebhookDelivery
from endpoints.services import artifacts, audit, lifecycle, model_alerts, snapshots, webhooks
from endpoints.services.access import Caller
from endpoints.services.model_alerts import tell_unusable, tell_usable
from endpoints.services.snapshots import ModelCache, Snapshots
from endpoints.services.transitions import Decision
from tests import cast
from tests.endpoints.services.clock import Clock

HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(clock: Clock, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Snapshots]:
    """Start a process: it knows nothing and has loaded nothing."""
    settings.RAISIN_REFRESH_SECONDS = 1.0

    def begin() -> Snapshots:
        monkeypatch.setattr(snapshots, "models", ModelCache(4))
        return Snapshots(clock)

    return begin


def promote(endpoint: Endpoint, number: int) -> None:
    decision = Decision(actor=cast.SYSTEM, now=cast.THEN, reason=cast.REASON)
    lifecycle.promote(version=endpoint.versions.get(number=number), decision=decision)


def hide(endpoint: Endpoint, number: int) -> Callable[[], object]:
    """Take a version's artefact away; return what brings it back."""
    folder = artifacts.folder(endpoint.versions.get(number=number))
    hidden = folder.with_name("hidden")
    folder.rename(hidden)
    return lambda: hidden.rename(folder)


def told() -> list[tuple[str, str]]:
    verbs = (model_alerts.UNUSABLE, model_alerts.USABLE)
    events = Event.objects.filter(verb__in=verbs).order_by("id")
    return list(events.values_list("verb", "subject"))


def look(process: Snapshots, clock: Clock) -> None:
    clock.now += 1.0
    process.all()


def test_it_works(raisin: Endpoint, start: Callable[[], Snapshots], clock: Clock) -> None:
    process = start()
    process.all()
    promote(raisin, 2)
    bring_back = hide(raisin, 2)
    look(process, clock)
    event = Event.objects.get(verb="model_unusable")
    assert (event.subject, event.actor_name) == ("v2", "serving")
    assert "The artefact of v2 cannot be used" in event.reason
    bring_back()
    look(process, clock)
    assert told() == [("model_unusable", "v2"), ("model_usable", "v2")]


def test_webhooks_are_told(raisin: Endpoint, dana: User) -> None:
    hook = Webhook(name="chat", url="https://chat.example.org/raisin")
    webhooks.create(hook, actor=Caller(user=dana), now=cast.THEN)
    tell_unusable(raisin, "its file is gone", now=cast.THEN)
    tell_usable(raisin, now=cast.THEN)
    bodies = (json.loads(sent.body) for sent in WebhookDelivery.objects.all())
    data = {body["type"]: body["data"] for body in bodies}
    assert set(data) == {"model.unusable", "model.usable"}
    assert data["model.unusable"] == {
        "endpoint": "raisin",
        "version": 1,
        "reason": "its file is gone",
        "url": "http://127.0.0.1:8000/endpoints/raisin/versions/1/",
    }


def test_a_problem_that_lasts_is_told_once(
    raisin: Endpoint, start: Callable[[], Snapshots], clock: Clock
) -> None:
    hide(raisin, 1)
    process = start()
    for _ in range(200):
        look(process, clock)
    assert told() == [("model_unusable", "v1")]


def test_other_processes_are_silent_for_an_hour(
    raisin: Endpoint, start: Callable[[], Snapshots], clock: Clock
) -> None:
    hide(raisin, 1)
    for _ in range(3):
        start().all()
    assert told() == [("model_unusable", "v1")]


def test_after_an_hour_it_is_told_again(raisin: Endpoint) -> None:
    for minutes in (0, 30, 59, 60, 90):
        tell_unusable(raisin, "gone", now=cast.THEN + timedelta(minutes=minutes))
    moments = Event.objects.filter(verb="model_unusable").values_list("at", flat=True)
    assert sorted(moments) == [cast.THEN, cast.THEN + HOUR]


def test_a_process_that_starts_after_it_was_mended_says_so(
    raisin: Endpoint, start: Callable[[], Snapshots]
) -> None:
    bring_back = hide(raisin, 1)
    start().all()
    bring_back()
    start().all()
    start().all()
    assert told() == [("model_unusable", "v1"), ("model_usable", "v1")]


def test_what_always_worked_is_not_worth_a_word(
    raisin: Endpoint, start: Callable[[], Snapshots], clock: Clock
) -> None:
    look(start(), clock)
    tell_usable(raisin, now=cast.THEN)
    assert told() == []


def test_another_promotion_does_not_mend_the_version(
    raisin: Endpoint, start: Callable[[], Snapshots], clock: Clock
) -> None:
    hide(raisin, 1)
    process = start()
    process.all()
    promote(raisin, 2)
    look(process, clock)
    assert told() == [("model_unusable", "v1")]


def test_a_database_that_fails_does_not_stop_the_answers(
    raisin: Endpoint,
    start: Callable[[], Snapshots],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    process = start()
    process.all()
    promote(raisin, 2)
    hide(raisin, 2)
    with monkeypatch.context() as broken:
        broken.setattr(audit, "record", fail)
        look(process, clock)
    found = process.get("raisin")
    assert found is not None and found.choose(None, None).version.number == 1
    assert "nobody could be told about a model" in caplog.text
    look(process, clock)
    assert told() == [("model_unusable", "v2")]


def test_what_could_not_be_told_is_told_at_the_next_look(
    raisin: Endpoint,
    start: Callable[[], Snapshots],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bring_back = hide(raisin, 1)
    process = start()
    process.all()
    bring_back()
    with monkeypatch.context() as broken:
        broken.setattr(audit, "record", fail)
        look(process, clock)
    assert told() == [("model_unusable", "v1")]
    look(process, clock)
    assert told() == [("model_unusable", "v1"), ("model_usable", "v1")]


def fail(*_: object, **__: object) -> None:
    raise DatabaseError("gone")


@pytest.mark.django_db(transaction=True)
def test_two_processes_at_once_tell_it_once() -> None:
    raisin = cast.raisin_endpoint()
    together = threading.Barrier(4)

    def tell() -> None:
        together.wait(10)
        tell_unusable(raisin, "gone", now=cast.THEN)
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(tell) for _ in range(4)]:
            done.result(timeout=30)
    assert told() == [("model_unusable", "v1")]

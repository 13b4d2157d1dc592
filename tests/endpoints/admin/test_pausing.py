"""Pausing an endpoint in the admin: it asks first, is recorded once, and callers are refused."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from endpoints.errors import NoModel, NotAllowed
from endpoints.models import Endpoint, Event, PredictionRequest
from endpoints.models.prediction import Source
from endpoints.services import pausing
from endpoints.services.access import Caller
from tests import cast
from tests.endpoints.admin.site import run_action, staff, url

pytestmark = pytest.mark.django_db
SWITCHES = Event.objects.filter(verb__in=("pause", "resume"))


def switch(client: Client, action: str, endpoint: Endpoint, **more: str) -> None:
    run_action(client, "endpoint", action, [endpoint.pk], confirmed="yes", **more)
    endpoint.refresh_from_db()


def paused(endpoint: Endpoint) -> Endpoint:
    pausing.pause(endpoint=endpoint, actor=cast.SYSTEM, now=cast.THEN)
    return endpoint


def test_it_works(raisin: Endpoint, admin_client: Client) -> None:
    raisin.refresh_from_db()
    before = raisin.revision
    switch(admin_client, "pause", raisin)
    assert raisin.paused_at is not None
    switch(admin_client, "resume", raisin)
    assert (raisin.paused_at, raisin.revision) == (None, before + 2)


def test_it_asks_first_and_names_the_effect(raisin: Endpoint, admin_client: Client) -> None:
    page = run_action(admin_client, "endpoint", "pause", [raisin.pk])
    assert "callers will get 503 until it is resumed" in page.content.decode()
    raisin.refresh_from_db()
    assert raisin.paused_at is None


def test_it_refuses_who_may_not_promote(raisin: Endpoint) -> None:
    switch(staff("dana", "view_endpoint", "change_endpoint"), "pause", raisin)
    assert raisin.paused_at is None
    switch(staff("alex", "view_endpoint", "promote_version"), "pause", raisin)
    assert raisin.paused_at is not None


def test_the_service_refuses_who_may_not_promote(raisin: Endpoint) -> None:
    with pytest.raises(NotAllowed):
        pausing.pause(endpoint=raisin, actor=Caller(user=cast.person("eve")), now=cast.THEN)


def test_it_records_who_paused_and_why(raisin: Endpoint, admin_client: Client) -> None:
    switch(admin_client, "pause", raisin, reason="the camera is broken")
    event = SWITCHES.get()
    assert (event.verb, event.actor_name, event.endpoint) == ("pause", "admin", raisin)
    assert (event.before, event.after) == ({"paused": False}, {"paused": True})
    assert event.reason == "the camera is broken"


def test_pausing_twice_keeps_the_first_moment_and_records_once(raisin: Endpoint) -> None:
    assert pausing.pause(endpoint=raisin, actor=cast.SYSTEM, now=cast.THEN)
    assert not pausing.pause(endpoint=raisin, actor=cast.SYSTEM, now=timezone.now())
    raisin.refresh_from_db()
    assert (raisin.paused_at, SWITCHES.count()) == (cast.THEN, 1)


def test_resuming_what_answers_records_nothing(raisin: Endpoint) -> None:
    assert not pausing.resume(endpoint=raisin, actor=cast.SYSTEM, now=cast.THEN)
    assert not SWITCHES.exists()


def test_callers_get_503_and_learn_whom_to_ask(raisin: Endpoint, api: APIClient) -> None:
    paused(raisin)
    answer = api.post("/api/v1/raisin/predict", cast.ROW, format="json")
    assert (answer.status_code, answer.json()["code"]) == (503, "no_model")
    assert "is paused. Ask somebody who may promote" in answer.json()["error"]
    assert not PredictionRequest.objects.exists()


@pytest.mark.parametrize("asked", [{"source": Source.TRY}, {"version": 2}, {"status": "staging"}])
def test_no_question_passes_by_the_pause(raisin: Endpoint, asked: dict[str, object]) -> None:
    paused(raisin)
    with pytest.raises(NoModel, match="paused"):
        cast.prediction(raisin, **asked)  # type: ignore[arg-type]


def test_a_resumed_endpoint_answers(raisin: Endpoint) -> None:
    pausing.resume(endpoint=paused(raisin), actor=cast.SYSTEM, now=cast.THEN)
    assert cast.prediction(raisin).version.number == 1


def test_the_overview_says_so(raisin: Endpoint, admin_client: Client) -> None:
    assert "This endpoint is paused" not in admin_client.get("/endpoints/raisin/").content.decode()
    paused(raisin)
    assert "This endpoint is paused" in admin_client.get("/endpoints/raisin/").content.decode()


def test_the_list_is_narrowed_to_what_is_paused(raisin: Endpoint, admin_client: Client) -> None:
    lonely = cast.an_endpoint("lonely")
    paused(raisin)
    for state, expected in (("paused", raisin), ("active", lonely)):
        listed = admin_client.get(url("endpoint"), {"state": state}).context["cl"].queryset
        assert list(listed) == [expected]


def test_the_list_shows_the_latest_event(raisin: Endpoint, admin_client: Client) -> None:
    now = timezone.now()
    pausing.pause(endpoint=raisin, actor=cast.SYSTEM, now=now)
    assert admin_client.get(url("endpoint")).context["cl"].queryset.get().latest == now

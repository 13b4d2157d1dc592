"""The home page: what is live, what waits, and first steps that tick themselves."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from endpoints.models import Endpoint, Feedback, PredictionRequest
from endpoints.models.prediction import Source
from endpoints.services import feedback, pausing, words
from tests import cast
from tests.dashboard import tested
from tests.dashboard.conftest import Browse, Site
from tests.dashboard.pages import assert_clean, read, text_of

STEPS = (
    "Train a run",
    "Compare two runs",
    "Register a run as a version",
    "Promote it to production",
    "Send a prediction",
    "Send the true label",
)


def ticks(said: str) -> list[bool]:
    """Return which of the steps are done, in their order."""
    return [f"Done {step}" in said for step in STEPS]


def test_it_works(site: Site, eve: User, browse: Browse) -> None:
    said = text_of(browse(eve).get("/"))
    assert "First steps" not in said
    assert all(part in said for part in ("Raisin", "v1", "Review v2"))


def test_an_empty_site_says_what_to_do(db: None, eve: User, browse: Browse) -> None:
    response = browse(eve).get("/")
    assert ticks(text_of(response)) == [False] * 6
    assert "No endpoints yet" in text_of(response)
    assert "manage.py train --data raisin" in response.content.decode()
    assert_clean(response)


def test_the_steps_tick_themselves(db: None, admin_user: User, browse: Browse) -> None:
    client = browse(admin_user)
    run = cast.trained_run()
    assert ticks(text_of(client.get("/"))) == [True] + [False] * 5
    other = cast.trained_run(solver="gd")
    assert ticks(text_of(client.get("/"))) == [True] * 2 + [False] * 4
    endpoint = cast.an_endpoint()
    cast.registered_version(endpoint, run=run)
    assert ticks(text_of(client.get("/"))) == [True] * 3 + [False] * 3
    cast.registered_version(endpoint, run=other, status="production")
    response = client.get("/")
    assert ticks(text_of(response)) == [True] * 4 + [False] * 2
    assert "/api/v1/raisin/predict" in response.content.decode()
    answer = cast.prediction(endpoint)
    response = client.get("/")
    assert ticks(text_of(response)) == [True] * 5 + [False]
    assert f"/api/v1/requests/{answer.request_id}/feedback" in response.content.decode()
    request = PredictionRequest.objects.get(pk=answer.request_id)
    feedback.record(request=request, label="Besni", row=0, actor=cast.SYSTEM, now=cast.THEN)
    assert Feedback.objects.count() == 1
    assert "First steps" not in text_of(client.get("/"))


def test_it_counts_the_last_day(raisin: Endpoint, eve: User, browse: Browse) -> None:
    now = timezone.now()
    for hours in (1, 2, 30):
        cast.prediction(raisin, now=now - timedelta(hours=hours))
    row = browse(eve).get("/").context["rows"][0]
    assert (row.pulse.totals.requests, sum(row.pulse.hours), row.pulse.hours[-1]) == (2, 2, 0)
    assert row.pulse.totals.p50_ms is not None


def test_it_tells_the_share_of_refused_requests(
    raisin: Endpoint, eve: User, browse: Browse, api: APIClient
) -> None:
    cast.prediction(raisin, now=timezone.now())
    assert "50.0 %" not in text_of(browse(eve).get("/"))
    api.post("/api/v1/raisin/predict", {}, format="json")
    response = browse(eve).get("/")
    assert "50.0 %" in text_of(response)
    assert "/endpoints/raisin/?period=24h#refused" in read(response).links


def test_what_does_not_answer_needs_attention(raisin: Endpoint, eve: User, browse: Browse) -> None:
    assert "Needs attention" not in text_of(browse(eve).get("/"))
    pausing.pause(endpoint=raisin, actor=cast.SYSTEM, now=cast.THEN)
    assert "Raisin: It is paused: callers get the error 503" in text_of(browse(eve).get("/"))
    raisin.versions.filter(number=1).update(artifact_sha256="0" * 64)
    response = browse(eve).get("/")
    assert "Raisin: The artefact of v1 cannot be used" in text_of(response)
    assert_clean(response)


def test_what_one_may_not_see_needs_nobodys_attention(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    pausing.pause(endpoint=raisin, actor=cast.SYSTEM, now=cast.THEN)
    Endpoint.objects.update(members_only=True)
    assert "paused" not in text_of(browse(eve).get("/"))


def test_an_endpoint_without_production_is_told(db: None, eve: User, browse: Browse) -> None:
    cast.an_endpoint("lonely")
    assert "no version answers" in text_of(browse(eve).get("/"))


def test_what_the_demo_sent_leaves_asking_and_labelling_to_the_visitor(
    site: Site, eve: User, browse: Browse
) -> None:
    PredictionRequest.objects.update(source=Source.DEMO)
    Feedback.objects.update(actor_name=words.DEMO)
    assert ticks(text_of(browse(eve).get("/"))) == [True] * 4 + [False] * 2


def test_a_test_that_is_ready_to_decide_waits_for_somebody(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    test = tested.split_test(raisin, right=(840, 900))
    response = browse(eve).get("/")
    assert "Raisin, test “v1 or v2”: B is better: ready to decide" in text_of(response)
    assert f'href="/tests/{test.pk}/"' in response.content.decode()
    assert_clean(response)


def test_a_test_that_cannot_be_trusted_waits_for_somebody(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    tested.split_test(raisin, units=(1_400, 1_100))
    assert "test “v1 or v2”: Do not trust this test" in text_of(browse(eve).get("/"))


def test_a_test_that_goes_on_waits_for_nobody(raisin: Endpoint, eve: User, browse: Browse) -> None:
    tested.split_test(raisin)
    assert "Needs attention" not in text_of(browse(eve).get("/"))

"""The overview of an endpoint: its numbers are those of the log, and its snippets work."""

from __future__ import annotations

import json
import uuid
from copy import copy
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from dashboard.presenters import snippets
from endpoints.models import Endpoint, PredictionRequest
from endpoints.services import feedback, overview, serving
from endpoints.services.overview import PERIODS
from tests import cast
from tests.dashboard.conftest import Browse, Site
from tests.dashboard.pages import assert_clean, text_of

NOON = datetime(2026, 11, 20, 12, 10, tzinfo=UTC)


def labelled(endpoint: Endpoint, at: datetime, *, right: bool) -> None:
    answer = cast.prediction(endpoint, now=at)
    request = PredictionRequest.objects.get(pk=answer.request_id)
    classes = answer.classifier.classes
    label = request.label if right else next(name for name in classes if name != request.label)
    feedback.record(request=request, label=label, row=0, actor=cast.SYSTEM, now=at)


def test_it_works(site: Site, eve: User, browse: Browse) -> None:
    said = text_of(browse(eve).get("/endpoints/raisin/"))
    assert "v1 live since 2 Nov 2026, 10:00" in said
    assert f"promoted by dana: {cast.REASON}" in said
    assert "Accuracy, labelled 100.0 % n = 1 label" in said


def test_a_day_is_counted_alike_on_every_page(raisin: Endpoint) -> None:
    """It begins with a full hour: at 12:10 that is the 13:00 of yesterday."""
    for hours in (24, 23.5, 23, 1):
        cast.prediction(raisin, now=NOON - timedelta(hours=hours))
    told = overview.requests_of_a_day(raisin, now=NOON)
    assert told == overview.pulses([raisin], now=NOON)[raisin.pk].requests == 2
    assert told == overview.traffic(raisin, period=PERIODS["24h"], now=NOON).requests


def test_its_numbers_are_those_of_the_log(raisin: Endpoint) -> None:
    for minutes, right in ((5, True), (70, True), (130, False), (60 * 30, True)):
        labelled(raisin, NOON - timedelta(minutes=minutes), right=right)
    cast.prediction(raisin, rows=[cast.ROW] * 3, now=NOON - timedelta(minutes=6))
    found = overview.traffic(raisin, period=PERIODS["24h"], now=NOON)
    assert (found.requests, found.labels, found.accuracy) == (4, 3, 2 / 3)
    assert sum(found.histogram) == 6
    assert len(found.counts) == 24
    assert found.counts[-3:] == (1, 1, 2)
    assert found.positive_rate in (0.0, 1.0)


def test_what_was_tried_by_hand_is_counted_but_judges_nothing(raisin: Endpoint) -> None:
    labelled(raisin, NOON, right=True)
    PredictionRequest.objects.update(source="try")
    found = overview.traffic(raisin, period=PERIODS["24h"], now=NOON + timedelta(minutes=1))
    assert (found.requests, found.labels, found.p50_ms) == (1, 0, None)
    assert (found.positive_rate, sum(found.histogram)) == (None, 0)


def test_versions_share_the_traffic(raisin: Endpoint) -> None:
    for _ in range(3):
        cast.prediction(raisin, now=NOON)
    v2 = raisin.versions.get(number=2)
    PredictionRequest.objects.filter(pk=PredictionRequest.objects.first().pk).update(version=v2)
    found = overview.traffic(raisin, period=PERIODS["1h"], now=NOON + timedelta(minutes=1))
    assert [(v.number, v.requests, round(v.share, 3)) for v in found.versions] == [
        (2, 1, 0.333),
        (1, 2, 0.667),
    ]


def test_the_sample_is_drawn_from_the_whole_period_and_says_so(
    raisin: Endpoint, eve: User, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "SAMPLE", 20)
    template = PredictionRequest.objects.get(pk=cast.prediction(raisin).request_id)
    now = timezone.now()
    copies = [copy(template) for _ in range(100)]
    for minute, entry in enumerate(copies):
        entry.pk = uuid.UUID(int=(2 * minute + 1) * 2**128 // 200)
        entry.created_at, entry.latency_us = now - timedelta(minutes=minute), 1_000
    PredictionRequest.objects.bulk_create(copies)
    found = overview.traffic(raisin, period=PERIODS["24h"], now=now)
    assert (found.requests, sum(found.histogram)) == (100, 20)
    said = text_of(browse(eve).get("/endpoints/raisin/"))
    assert "about 20 requests, drawn at random from the 100" in said


def test_latencies_are_nearest_ranks() -> None:
    assert overview.latency([]) == (None, None)
    assert overview.latency([1_000]) == (1.0, 1.0)
    assert overview.latency(range(1_000, 101_000, 1_000)) == (50.0, 95.0)


def test_the_example_row_is_accepted(raisin: Endpoint) -> None:
    version = raisin.versions.get(number=1)
    row = snippets.typical_row(serving.load(version))
    assert len(cast.prediction(raisin, rows=[row]).rows) == 1
    curl = snippets.for_endpoint(raisin, row).curl
    sent = curl.split("-d '")[1].rstrip("'")
    assert json.loads(sent) == row


def test_the_python_snippet_is_python(raisin: Endpoint) -> None:
    Endpoint.objects.filter(pk=raisin.pk).update(public_predictions=False)
    raisin.refresh_from_db()
    found = snippets.for_endpoint(raisin, {"a “b”": 1.5, "it's": "x\n"})
    compile(found.python, "snippet", "exec")
    assert "Authorization: Bearer $RAISIN_KEY" in found.curl
    assert found.needs_key


def test_an_endpoint_without_anything_says_so(db: None, eve: User, browse: Browse) -> None:
    cast.an_endpoint("lonely")
    response = browse(eve).get("/endpoints/lonely/")
    assert "Nothing can answer yet." in text_of(response)
    assert_clean(response)


def test_a_broken_model_does_not_break_the_page(site: Site, eve: User, browse: Browse) -> None:
    version = site.endpoint.versions.get(number=1)
    type(version).objects.filter(pk=version.pk).update(artifact_path="runs/gone/model")
    type(version).objects.filter(pk=version.pk).update(artifact_sha256="0" * 64)
    response = browse(eve).get("/endpoints/raisin/")
    assert response.status_code == 200
    assert "cannot be used" in text_of(response)

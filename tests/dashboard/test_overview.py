"""The overview of an endpoint: its numbers are those of the log, and its snippets work."""

from __future__ import annotations

import json
from datetime import timedelta

from django.contrib.auth.models import User
from rest_framework.test import APIClient

from dashboard.presenters import snippets
from endpoints.models import Endpoint
from endpoints.services import lifecycle, serving
from endpoints.services.transitions import Decision
from tests import cast
from tests.dashboard.conftest import Browse, Site
from tests.dashboard.pages import assert_clean, text_of


def test_it_works(site: Site, eve: User, browse: Browse) -> None:
    said = text_of(browse(eve).get("/endpoints/raisin/"))
    assert "v1 live since 2 Nov 2026, 10:00" in said
    assert f"promoted by dana: {cast.REASON}" in said
    assert "Accuracy, labelled 100.0 % n = 1 label" in said


def test_its_numbers_are_those_of_the_log(site: Site, eve: User, browse: Browse) -> None:
    response = browse(eve).get("/endpoints/raisin/")
    totals = response.context["totals"]
    assert (totals.requests, totals.refused, totals.labels) == (2, 0, 1)
    said = text_of(response)
    assert "Requests 2 answered" in said
    assert "every request got its answer" in said
    assert_clean(response)


def test_it_tells_what_was_refused_and_why(
    site: Site, eve: User, browse: Browse, api: APIClient
) -> None:
    for body in ({"Area": "wide"}, {}):
        assert api.post("/api/v1/raisin/predict", body, format="json").status_code == 422
    api.post("/api/v1/raisin/predict?version=9", cast.ROW, format="json")
    response = browse(eve).get("/endpoints/raisin/")
    said = text_of(response)
    assert "Refused 3 60.0 % of all" in said
    assert "2 66.7 % Values did not fit the schema." in said
    assert "1 33.3 % They asked for a version" in said
    assert "<code>invalid_rows</code>" in response.content.decode()
    requests, latency = response.context["charts"]
    assert [line.name for line in requests.lines] == ["Answered", "Refused"]
    assert [line.name for line in latency.lines] == ["Median", "p95"]
    assert_clean(response)


def test_refusals_alone_are_told_too(
    raisin: Endpoint, eve: User, browse: Browse, api: APIClient
) -> None:
    api.post("/api/v1/raisin/predict", {}, format="json")
    response = browse(eve).get("/endpoints/raisin/?period=1h")
    said = text_of(response)
    assert "Refused 1 100.0 % of all" in said
    assert "Versions that answered" not in said
    assert_clean(response)


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
    assert "Callers get the error 503." in text_of(response)


def test_an_older_version_that_answers_in_its_place_is_named(
    site: Site, eve: User, browse: Browse
) -> None:
    decision = Decision(actor=cast.SYSTEM, now=cast.THEN + timedelta(days=1), reason=cast.REASON)
    newer = site.endpoint.versions.get(number=2)
    lifecycle.promote(version=newer, decision=decision)
    type(newer).objects.filter(pk=newer.pk).update(artifact_sha256="0" * 64)
    for address in ("/endpoints/raisin/", "/"):
        said = text_of(browse(eve).get(address))
        assert "The artefact of v2 cannot be used" in said
        assert "v1 answers in its place." in said

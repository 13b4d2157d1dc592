"""Check a file: rows beside the training on a page, with labels and without; nothing is stored."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from endpoints.models import DriftReport, Endpoint, PredictionRequest
from tests import cast
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, read, text_of
from tests.endpoints.api.test_monitor_rows import ALIKE, LABELS, MOVED, csv

DRIFT = "/endpoints/raisin/drift/"
PAGE = f"{DRIFT}check/"


def check(client: Client, content: bytes, **words: Any) -> HttpResponse:
    file = SimpleUploadedFile("rows.csv", content, "text/csv")
    return client.post(PAGE, {"file": file, **words})


def test_it_works(raisin: Endpoint, ana: User, browse: Browse) -> None:
    response = check(browse(ana), csv(MOVED))
    said = text_of(response)
    assert response.status_code == 200
    assert "1 of 7 features has drifted in 300 rows: Area." in said
    assert "What that does to the score" in said
    assert "How right its answers would be" not in said
    assert_clean(response)


def test_it_says_the_same_as_rest(raisin: Endpoint, ana: User, browse: Browse) -> None:
    client = browse(ana)
    told = client.generic("POST", "/api/v1/raisin/monitor", csv(MOVED, LABELS)).json()
    shown = check(client, csv(MOVED, LABELS)).context["checked"]
    assert {row.name: row.column.effect for row in shown.drift.features} == {
        feature["name"]: feature["effect"] for feature in told["features"]
    }
    assert shown.drift.report.drift_score == told["drift_score"]
    metrics = {key: found["value"] for key, found in told["metrics"].items()}
    assert {name.lower(): found.value for name, found in shown.metrics} == metrics
    assert [row.name for row in shown.drift.outputs] == [
        "Probability", "Predicted class", "True label",
    ]  # fmt: skip


def test_labels_tell_how_right_the_answers_would_be(
    raisin: Endpoint, ana: User, browse: Browse
) -> None:
    response = check(browse(ana), csv(ALIKE, LABELS))
    said = text_of(response)
    assert "How right its answers would be" in said
    assert "300 labels" in said
    assert "None of 7 features has drifted in 300 rows." in said
    assert len(response.context["checked"].metrics) == 5


def test_nothing_is_stored(raisin: Endpoint, ana: User, browse: Browse) -> None:
    check(browse(ana), csv(MOVED, LABELS))
    assert not PredictionRequest.objects.exists()
    assert not DriftReport.objects.exists()


def test_the_version_that_was_looked_at_is_asked(
    raisin: Endpoint, ana: User, browse: Browse
) -> None:
    client = browse(ana)
    page = client.get(DRIFT, {"version": "2"})
    assert f'action="{PAGE}?version=2"' in page.content.decode()
    assert read(page).fields["version"] == "2"
    found = check(client, csv(ALIKE), version="2")
    assert found.context["checked"].version.number == 2
    assert read(found).fields["version"] == "2"
    missing = check(client, csv(ALIKE), version="99")
    assert "has no version 99" in text_of(missing)


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        (b"", 422, "The file is empty."),
        (b" \n", 400, "The file is empty."),
        (b"Area\n1\n", 422, "the column MajorAxisLength is missing"),
        (b"Class\nBesni\n", 422, "the column Area is missing"),
        (csv([]), 400, "The CSV has a header but no rows."),
        (csv(ALIKE[:1]) + b"\n1,2\n", 422, "line 3: expected 7 values, got 2"),
        (b"\xff\xfe", 400, "Line 1 of the CSV is not UTF-8 text."),
        (csv([[1.0] * 7] * 1_002), 413, "more than 1,000 rows"),
        (b"a" * 1_100_000, 413, "is the most here"),
        (b"a" * 2_200_000, 413, "is the most here"),
    ],
)
def test_it_refuses(
    raisin: Endpoint, ana: User, browse: Browse, content: bytes, status: int, says: str
) -> None:
    response = check(browse(ana), content, version="1")
    assert response.status_code == status
    assert says in text_of(response)
    assert "Nothing was checked" in text_of(response)
    assert_clean(response)


def test_every_bad_cell_is_told_by_line_and_column(
    raisin: Endpoint, ana: User, browse: Browse
) -> None:
    lines = csv(ALIKE[:3], LABELS[:3]).split(b"\n")
    lines[1] = b"x" + lines[1][lines[1].index(b",") :]
    lines[3] = b"y" + lines[3][lines[3].index(b",") :]
    response = check(browse(ana), b"\n".join(lines), version="1")
    said = text_of(response)
    assert "line 2, column Area: expected a number, got 'x'" in said
    assert "line 4, column Area: expected a number, got 'y'" in said
    assert read(response).fields["version"] == "1"
    assert_clean(response)


@pytest.mark.parametrize(
    ("wrong", "says", "lists"),
    [
        (99, "(and 98 more problems)", "All that is wrong 99 places"),
        (150, "(and at least 99 more problems)", "The first 100 places that are wrong"),
    ],
)
def test_more_problems_than_are_listed(
    raisin: Endpoint, ana: User, browse: Browse, wrong: int, says: str, lists: str
) -> None:
    lines = csv(ALIKE[:200]).split(b"\n")
    lines[1 : wrong + 1] = [b"x" + line[line.index(b",") :] for line in lines[1 : wrong + 1]]
    response = check(browse(ana), b"\n".join(lines), version="1")
    assert says in text_of(response)
    assert lists in text_of(response)


def test_few_rows_get_no_verdict(raisin: Endpoint, ana: User, browse: Browse) -> None:
    said = text_of(check(browse(ana), csv(ALIKE[:9])))
    assert "There are too few rows for a verdict: 9 rows in this file." in said


def test_it_asks_for_what_the_rest_route_asks_for(
    raisin: Endpoint, eve: User, ana: User, browse: Browse
) -> None:
    assert "Check a file" in text_of(browse(eve).get(DRIFT))
    Endpoint.objects.update(public_predictions=False)
    assert "Check a file" not in text_of(browse(eve).get(DRIFT))
    assert browse(eve).get(PAGE).status_code == 403
    assert check(browse(eve), csv(ALIKE)).status_code == 403
    assert check(browse(ana), csv(ALIKE)).status_code == 200
    assert_clean(browse(ana).get(PAGE))


def test_a_paused_endpoint_refuses(raisin: Endpoint, ana: User, browse: Browse) -> None:
    Endpoint.objects.update(paused_at=cast.THEN)
    response = check(browse(ana), csv(ALIKE))
    assert response.status_code == 503
    assert "is paused" in text_of(response)


def test_it_needs_the_token(raisin: Endpoint, ana: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana)
    assert check(client, csv(ALIKE)).status_code == 403

"""The timeline of an endpoint: every change of a status, narrowed down, downloaded, in words."""

from __future__ import annotations

import csv
import io

import pytest
from django.contrib.auth.models import User
from django.test import Client

from endpoints.models import Endpoint, StatusChange
from tests import cast
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, text_of

PAGE = "/endpoints/raisin/versions/"
CSV = f"{PAGE}download/"


def downloaded(client: Client, query: str = "") -> list[dict[str, str]]:
    response = client.get(f"{CSV}?{query}")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="raisin-decisions.csv"' in response["Content-Disposition"]
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(text)))


def told(client: Client, query: str = "") -> str:
    return text_of(client.get(f"{PAGE}?{query}")).partition("Every decision")[2]


def test_it_works(raisin: Endpoint, eve: User, browse: Browse) -> None:
    page = browse(eve).get(PAGE)
    said = text_of(page)
    assert "5 so far" in said
    assert "v1 promoted to production ◐ Staging → to ● Production" in said
    assert "by dana" in said
    assert cast.REASON in said
    assert "Gates at that moment" in said
    assert_clean(page)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("of=1", 3),
        ("of=2", 2),
        ("what=register", 2),
        ("what=stage&of=2", 1),
        ("what=overridden", 0),
        ("by=DAN", 5),
        ("by=alex", 0),
        ("of=99&what=nonsense", 5),
    ],
)
def test_the_filter_narrows_page_and_download_alike(
    query: str, found: int, raisin: Endpoint, eve: User, browse: Browse
) -> None:
    client = browse(eve)
    assert f"{found} found" in told(client, query) or f"{found} so far" in told(client, query)
    assert len(downloaded(client, query)) == found


def test_a_filter_that_fits_nothing_says_so(raisin: Endpoint, eve: User, browse: Browse) -> None:
    page = browse(eve).get(f"{PAGE}?by=nobody")
    assert "No decision fits this filter." in text_of(page)
    assert "Clear filter" in text_of(page)
    assert_clean(page)


def test_the_download_says_who_when_from_where_to_where_and_why(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    rows = downloaded(browse(eve), "of=1")
    newest = rows[0]
    assert (newest["version"], newest["what"]) == ("v1", "promote")
    assert (newest["from"], newest["to"], newest["by"]) == ("staging", "production", "dana")
    assert newest["at"] == "2026-11-02T10:00:00+00:00"
    assert newest["reason"] == cast.REASON
    assert "Artefact reload: pass" in newest["gates"]


def test_a_reason_that_a_spreadsheet_would_run_is_text(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    StatusChange.objects.filter(version__number=1).update(reason="=HYPERLINK(1)")
    assert downloaded(browse(eve), "of=1")[0]["reason"] == "'=HYPERLINK(1)"


def test_the_pages_of_the_timeline_keep_the_filter(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    for _ in range(20):
        cast.registered_version(raisin)
    body = browse(eve).get(f"{PAGE}?what=register").content.decode()
    assert 'href="?what=register&amp;changes=2#history"' in body
    assert "Page 2 of 2" in told(browse(eve), "what=register&changes=2")


def test_a_member_alone_sees_the_history_of_a_closed_endpoint(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    Endpoint.objects.filter(pk=raisin.pk).update(members_only=True, public_predictions=False)
    assert browse(eve).get(CSV).status_code == 404


def test_a_moment_of_the_future_is_answered_as_now(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    said = text_of(browse(eve).get(f"{PAGE}?at=2899-01-01T10:00"))
    assert "v1 was in production, since" in said
    assert "At 1 Jan 2899" not in said

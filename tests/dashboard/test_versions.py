"""Versions: the list with its history, and the page that shows what a version is."""

from __future__ import annotations

import re

from django.contrib.auth.models import User
from django.http import HttpResponse

from endpoints.models import Endpoint
from endpoints.services import artifacts, lifecycle
from endpoints.services.access import Caller
from endpoints.services.transitions import Decision
from tests import cast
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, text_of


def actions(response: HttpResponse) -> list[str]:
    """Return the moves that the page offers now, in their order."""
    return re.findall(r'review/\?to=\w+&amp;verb=\w+">([^<]+)</a>', response.content.decode())


def archive(endpoint: Endpoint, number: int) -> None:
    decision = Decision(actor=cast.SYSTEM, now=cast.THEN, reason=cast.REASON)
    lifecycle.archive(version=endpoint.versions.get(number=number), decision=decision)


def test_it_works(raisin: Endpoint, eve: User, browse: Browse) -> None:
    said = text_of(browse(eve).get("/endpoints/raisin/versions/"))
    assert "v1 is in production" in said
    assert "v2 ◐ Staging" in said
    assert "the best of the candidates" in said


def test_the_difference_from_production_knows_its_direction(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    cast.registered_version(raisin, solver="gd")
    body = browse(eve).get("/endpoints/raisin/versions/").content.decode()
    assert "delta-worse" in body
    assert "not converged" in body


def test_archived_versions_are_behind_a_link(raisin: Endpoint, eve: User, browse: Browse) -> None:
    archive(raisin, 2)
    client = browse(eve)
    hidden = client.get("/endpoints/raisin/versions/")
    assert "Show 1 archived" in text_of(hidden)
    for query in ("archived", "status=all", "status=archived"):
        shown = text_of(client.get(f"/endpoints/raisin/versions/?{query}"))
        assert "v2 ▣ Archived" in shown.partition("Every decision")[0]
    assert "v2 ▣ Archived" not in text_of(hidden).partition("Every decision")[0]


def test_versions_are_filtered_by_status(raisin: Endpoint, eve: User, browse: Browse) -> None:
    client = browse(eve)
    listed = text_of(client.get("/endpoints/raisin/versions/?status=staging"))
    assert "v2 ◐ Staging" in listed
    assert "v1 ● Production" not in listed.partition("Every decision")[0]
    empty = client.get("/endpoints/raisin/versions/?status=ab_testing")
    assert "No version has this status" in text_of(empty)
    assert_clean(empty)


def test_it_tells_which_version_was_live_then(raisin: Endpoint, eve: User, browse: Browse) -> None:
    client = browse(eve)
    before = text_of(client.get("/endpoints/raisin/versions/?at=2026-11-02T09:30"))
    after = text_of(client.get("/endpoints/raisin/versions/?at=2026-11-02T10:30"))
    assert "At 2 Nov 2026, 09:30 nothing was in production" in before
    assert "At 2 Nov 2026, 10:30 v1 was in production, since 2 Nov 2026, 10:00" in after


def test_it_refuses_a_moment_that_is_none(raisin: Endpoint, eve: User, browse: Browse) -> None:
    said = text_of(browse(eve).get("/endpoints/raisin/versions/?at=yesterday"))
    assert "Write a date and time such as 2026-03-01 10:00." in said


def test_a_version_shows_what_it_is(raisin: Endpoint, eve: User, browse: Browse) -> None:
    response = browse(eve).get("/endpoints/raisin/versions/1/")
    said = text_of(response)
    parts = ("Metrics", "Right and wrong", "Coefficients", "Schema", "How it was made", "Files")
    assert all(part in said for part in parts)
    assert "MajorAxisLength" in said
    assert "Python 3.1" in said
    assert artifacts.load(raisin.versions.get(number=1)).classes == ("Kecimen", "Besni")
    assert_clean(response)


def test_actions_follow_status_and_permission(
    raisin: Endpoint, alex: User, dana: User, eve: User, browse: Browse
) -> None:
    staged, live = "/endpoints/raisin/versions/2/", "/endpoints/raisin/versions/1/"
    assert actions(browse(alex).get(staged)) == ["Review promotion", "Reject", "Archive"]
    assert actions(browse(alex).get(live)) == ["Archive"]
    assert actions(browse(dana).get(staged)) == ["Request promotion", "Withdraw"]
    assert actions(browse(eve).get(staged)) == []
    archive(raisin, 2)
    assert actions(browse(alex).get(staged)) == ["Restore"]


def test_the_first_action_in_testing_is_to_ask_for_a_promotion(
    raisin: Endpoint, dana: User, browse: Browse
) -> None:
    cast.registered_version(raisin)
    page = browse(dana).get("/endpoints/raisin/versions/3/")
    assert actions(page) == ["Request promotion", "Stage"]
    assert 'class="button button-primary" href="/endpoints/raisin/versions/3/review/' in (
        page.content.decode()
    )


def test_what_is_not_possible_now_says_why(
    raisin: Endpoint, alex: User, dana: User, browse: Browse
) -> None:
    version = cast.registered_version(raisin)
    page = browse(alex).get("/endpoints/raisin/versions/3/")
    assert "Review promotion Stage it first." in text_of(page)
    assert 'role="link" aria-disabled="true"' in page.content.decode()
    assert_clean(page)
    decision = Decision(actor=Caller(user=dana), now=cast.THEN, reason="")
    lifecycle.request_promotion(version=version, decision=decision)
    said = text_of(browse(dana).get("/endpoints/raisin/versions/3/"))
    assert "Request promotion dana has asked already." in said


def test_a_version_of_long_ago_says_where_roll_back_leads(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    cast.registered_version(raisin, status="production")
    cast.registered_version(raisin, status="production")
    client = browse(alex)
    assert actions(client.get("/endpoints/raisin/versions/3/")) == ["Roll back", "Restore"]
    page = client.get("/endpoints/raisin/versions/1/")
    assert actions(page) == ["Restore"]
    assert "Roll back Rolling back leads to v3." in text_of(page)


def test_the_lineage_leads_from_the_data_to_the_predictions(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    cast.prediction(raisin)
    body = browse(eve).get("/endpoints/raisin/versions/1/").content.decode()
    lineage = body.partition('<ol class="lineage">')[2].partition("</ol>")[0]
    version = raisin.versions.get(number=1)
    assert version.run.dataset_sha256[:8] in lineage
    assert f"/runs/{version.run_id}/" in lineage
    assert "in production</a> since" in lineage
    assert '/endpoints/raisin/predictions/?version=1">1 prediction</a>' in lineage
    assert "no predictions" in text_of(browse(eve).get("/endpoints/raisin/versions/2/"))


def test_a_version_without_its_files_still_has_a_page(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    version = raisin.versions.get(number=1)
    (artifacts.folder(version) / "model.json").unlink()
    response = browse(eve).get("/endpoints/raisin/versions/1/")
    assert response.status_code == 200
    assert "The stored model cannot be read" in text_of(response)
    assert_clean(response)


def test_an_endpoint_without_versions_says_where_they_come_from(
    db: None, eve: User, browse: Browse
) -> None:
    cast.an_endpoint("lonely")
    said = text_of(browse(eve).get("/endpoints/lonely/versions/"))
    assert "No versions yet" in said

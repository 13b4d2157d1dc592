"""Versions: the list with its history, and the page that shows what a version is."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.http import HttpResponse

from endpoints.models import Endpoint
from endpoints.services import artifacts, lifecycle
from endpoints.services.lifecycle import Decision
from tests import cast
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, text_of


def actions(response: HttpResponse) -> list[str]:
    found = ("Stage", "Review promotion", "Archive", "Send back", "Restore", "Roll back")
    body = response.content.decode()
    return [name for name in found if f'">{name}</a>' in body]


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
    shown = client.get("/endpoints/raisin/versions/?archived")
    assert "v2 ▣ Archived" in text_of(shown)
    assert "v2 ▣ Archived" not in text_of(hidden).partition("Every decision")[0]


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
    assert actions(browse(alex).get(staged)) == ["Review promotion", "Archive", "Send back"]
    assert actions(browse(alex).get(live)) == ["Archive"]
    assert actions(browse(dana).get(staged)) == ["Send back"]
    assert actions(browse(eve).get(staged)) == []
    archive(raisin, 2)
    assert actions(browse(alex).get(staged)) == ["Restore"]


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

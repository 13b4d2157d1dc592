"""What pages show to whom: nothing to who has no role, and no control that one may never use."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from endpoints.models import Endpoint, Membership
from tests import cast
from tests.dashboard.conftest import Browse, Site
from tests.dashboard.pages import assert_clean, read, text_of


@pytest.fixture
def olaf(db: None) -> User:
    """Somebody who can log in and has no role."""
    return User.objects.create_user("olaf")


def test_who_has_no_role_is_told_whom_to_ask(site: Site, olaf: User, browse: Browse) -> None:
    page = browse(olaf).get("/")
    assert page.status_code == 200
    assert "You have no role yet" in text_of(page)
    assert "Ask an administrator" in text_of(page)
    assert_clean(page)
    assert not any(link.startswith(("/runs", "/endpoints")) for link in read(page).links)


def test_other_pages_refuse_who_has_no_role(site: Site, olaf: User, browse: Browse) -> None:
    for address in ("/endpoints/raisin/", "/runs/", f"/runs/{site.live_run.pk}/"):
        page = browse(olaf).get(address)
        assert page.status_code == 403
        assert "An administrator can give it to you" in text_of(page)
        assert "/runs/" not in read(page).links
        assert_clean(page)


def test_a_member_sees_the_one_endpoint(site: Site, olaf: User, browse: Browse) -> None:
    other = cast.an_endpoint("other")
    Membership.objects.create(user=olaf, endpoint=other, role=cast.role("viewer"))
    said = text_of(browse(olaf).get("/"))
    assert "Other" in said
    assert "v1" not in said


@pytest.mark.parametrize(("person", "tries"), [("eve", False), ("ana", True)])
def test_trying_is_shown_to_who_may_try(
    person: str, tries: bool, site: Site, request: pytest.FixtureRequest, browse: Browse
) -> None:
    page = browse(request.getfixturevalue(person)).get("/endpoints/raisin/")
    assert ("/endpoints/raisin/try/" in read(page).links) is tries


def test_a_role_at_one_endpoint_shows_its_controls_there_alone(
    site: Site, eve: User, browse: Browse
) -> None:
    cast.an_endpoint("other")
    Membership.objects.create(user=eve, endpoint=site.endpoint, role=cast.role("analyst"))
    for slug, tries in (("raisin", True), ("other", False)):
        page = browse(eve).get(f"/endpoints/{slug}/versions/")
        assert (f"/endpoints/{slug}/try/" in read(page).links) is tries


@pytest.mark.parametrize(("person", "labels"), [("ana", False), ("dev", True)])
def test_labelling_is_shown_to_who_may_label(
    person: str, labels: bool, site: Site, request: pytest.FixtureRequest, browse: Browse
) -> None:
    Endpoint.objects.update(public_predictions=False)
    reader = browse(request.getfixturevalue(person))
    address = f"/endpoints/raisin/predictions/{site.prediction.pk}/"
    assert ("Correct the label" in text_of(reader.get(address))) is labels
    done = reader.post(address, {"row": 0, "label": "Kecimen"})
    assert done.status_code == (302 if labels else 403)

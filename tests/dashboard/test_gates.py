"""A gate on a page: a word beside its glyph, its value against its limit, and where to look."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.template.loader import render_to_string

from dashboard.presenters import gates as shown
from endpoints.services import gates
from endpoints.services.access import Caller
from endpoints.services.gates import Gate
from tests import cast
from tests.dashboard.conftest import Browse, Site
from tests.dashboard.pages import read, text_of
from tests.endpoints.services.candidates import analysed_run

pytestmark = pytest.mark.django_db
REVIEW = "/endpoints/raisin/versions/2/review/?to=production"


def test_it_works(site: Site, alex: User, browse: Browse) -> None:
    page = browse(alex).get(REVIEW)
    words = text_of(page)
    assert "v2 is better than v1 on log loss by 0." in words
    assert "(limit: at most 0.01 worse)" in words
    assert "It needs 200 logged rows of the last 7 days; there are 3." in words
    assert "Metrics behind the gate Validation metric" in words


def test_every_gate_leads_to_its_evidence(site: Site, alex: User, browse: Browse) -> None:
    """The page is there for whoever may read, and so is the place on it."""
    version = cast.registered_version(site.endpoint, run=analysed_run())
    found = gates.evaluate(version, actor=Caller(user=alex), now=cast.THEN)
    assert {gate.code for gate in found} == set(shown.PLACES)
    client = browse(cast.person("erin"))
    for gate in found:
        evidence = shown.evidence(gate.code, site.endpoint.slug, version)
        assert evidence is not None
        page = client.get(evidence.url)
        assert page.status_code == 200, evidence.url
        place = urlsplit(evidence.url).fragment
        assert not place or place in read(page).ids, evidence.url


def test_the_gates_of_a_past_decision_lead_there_too(
    site: Site, alex: User, browse: Browse
) -> None:
    page = browse(alex).get("/endpoints/raisin/versions/")
    assert "/endpoints/raisin/versions/1/#metrics" in read(page).links


@pytest.mark.parametrize("code", ["", "of another release"])
def test_an_unknown_gate_has_no_link(site: Site, code: str) -> None:
    assert shown.evidence(code, "raisin", site.endpoint.versions.get(number=1)) is None


def test_words_of_a_gate_are_text() -> None:
    """A column's name may hold markup; nothing of it reaches the page as such."""
    hostile = Gate("drift", "Live inputs", "fail", "In 200 rows, <img src=x> differs.", "<b>1</b>")
    page = render_to_string("dashboard/parts/gate.html", {"gate": hostile})
    assert "<img" not in page
    assert "<b>" not in page
    assert "&lt;img" in page


def test_a_version_that_is_promoted_at_once_is_said_to_be(
    site: Site, dana: User, browse: Browse
) -> None:
    site.endpoint.auto_promote = True
    site.endpoint.save()
    run = site.endpoint.versions.get(number=2).run
    response = browse(dana).post(
        f"/runs/{run.pk}/register/", {"endpoint": "raisin", "note": ""}, follow=True
    )
    assert "v3 of Raisin is registered, in production." in text_of(response)

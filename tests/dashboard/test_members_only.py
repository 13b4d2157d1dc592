"""An endpoint for members only: whoever is none finds no trace of it, on pages and in answers to programs."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.utils import timezone

from endpoints.models import Endpoint, Membership
from tests import cast
from tests.dashboard.conftest import Browse, Site

SECRET = "hushhush"
LISTS = (
    "/",
    "/runs/",
    "/runs/?archived",
    "/runs/download/",
    "/runs/{shared}/",
    "/runs/{shared}/register/",
    "/runs/compare/?run={shared}&run={live}",
    "/account/",
    "/api/v1/endpoints",
    "/api/v1/runs",
    "/api/v1/runs/{shared}",
    "/api/v1/promotion-requests",
    "/api/v1/mlalgorithms",
    "/api/v1/mlalgorithmstatuses",
    "/api/v1/mlrequests",
    "/api/v1/abtests",
)
HIDDEN = (
    "/endpoints/hushhush/",
    "/endpoints/hushhush/?period=7d",
    "/endpoints/hushhush/versions/",
    "/endpoints/hushhush/versions/1/",
    "/endpoints/hushhush/predictions/",
    "/endpoints/hushhush/predictions/download/",
    "/endpoints/hushhush/predictions/{request}/",
    "/runs/{secret}/",
    "/api/v1/endpoints/hushhush",
    "/api/v1/runs/{secret}",
    "/api/v1/mlrequests/{request}",
)


@pytest.fixture
def addresses(site: Site) -> dict[str, object]:
    """Beside the site: an endpoint for members, with two versions, a prediction and its label."""
    endpoint = cast.an_endpoint(SECRET, public=False)
    secret = cast.trained_run(name="secret", experiment=SECRET)
    shared = cast.trained_run(name="shared")
    cast.registered_version(endpoint, run=secret, status="production")
    cast.registered_version(endpoint, run=shared, status="staging")
    cast.registered_version(site.endpoint, run=shared)
    answer = cast.prediction(endpoint, now=timezone.now())
    Endpoint.objects.filter(slug=SECRET).update(members_only=True)
    return {
        "secret": secret.pk,
        "shared": shared.pk,
        "request": answer.request_id,
        "live": site.live_run.pk,
    }


def test_no_list_names_it(
    addresses: dict[str, object], alex: User, dana: User, browse: Browse
) -> None:
    for template in LISTS:
        reader = browse(dana if "register" in template else alex)
        response = reader.get(template.format(**addresses))
        said = response.getvalue().decode().lower()
        assert response.status_code == 200, template
        assert SECRET not in said, template
        assert str(addresses["request"]) not in said, template


def test_nothing_of_it_is_there(addresses: dict[str, object], alex: User, browse: Browse) -> None:
    reader = browse(alex)
    found = [path for path in HIDDEN if reader.get(path.format(**addresses)).status_code != 404]
    assert found == []


def test_a_member_finds_it(addresses: dict[str, object], alex: User, browse: Browse) -> None:
    endpoint = Endpoint.objects.get(slug=SECRET)
    for name in ("scientist", "approver"):
        Membership.objects.create(user=alex, endpoint=endpoint, role=cast.role(name))
    member = browse(alex)
    for template in LISTS + HIDDEN:
        assert member.get(template.format(**addresses)).status_code == 200, template
    assert SECRET in member.get("/").content.decode()


def test_a_label_for_its_prediction_is_for_members(
    addresses: dict[str, object], dev: User, browse: Browse
) -> None:
    def label(request_id: object) -> HttpResponse:
        path = f"/api/v1/requests/{request_id}/feedback"
        return browse(dev).post(path, {"label": "Besni"}, "application/json")

    foreign, unknown = label(addresses["request"]), label(UUID(int=0))
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json()["error"] == unknown.json()["error"]
    endpoint = Endpoint.objects.get(slug=SECRET)
    Membership.objects.create(user=dev, endpoint=endpoint, role=cast.role("developer"))
    assert label(addresses["request"]).status_code == 201


def test_the_first_steps_do_not_lead_there(
    addresses: dict[str, object], eve: User, browse: Browse
) -> None:
    Endpoint.objects.update(members_only=True)
    said = browse(eve).get("/").content.decode()
    assert "First steps" in said
    assert SECRET not in said

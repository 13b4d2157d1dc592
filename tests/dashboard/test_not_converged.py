"""An unconverged fit says so wherever it is shown: its explanations are provisional."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from endpoints.models import Endpoint
from tests import cast
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import text_of

PAGES = (
    "/",
    "/endpoints/raisin/",
    "/endpoints/raisin/versions/",
    "/endpoints/raisin/versions/1/",
    "/endpoints/raisin/versions/1/review/?to=archived",
    "/endpoints/raisin/predictions/{prediction}/",
    "/endpoints/raisin/try/",
    "/runs/",
    "/runs/{run}/",
    "/runs/{run}/register/",
    "/runs/compare/?run={run}&run={other}",
)


@pytest.fixture
def unconverged(db: None) -> Endpoint:
    endpoint = cast.an_endpoint()
    cast.registered_version(endpoint, status="production", solver="gd", epochs=5)
    return endpoint


@pytest.mark.parametrize("page", PAGES)
def test_it_says_so(page: str, unconverged: Endpoint, admin_user: User, browse: Browse) -> None:
    address = page.format(
        prediction=cast.prediction(unconverged).request_id,
        run=unconverged.versions.get().run_id,
        other=cast.trained_run().pk,
    )
    said = text_of(browse(admin_user).get(address)).lower()
    assert "not converge" in said


@pytest.mark.parametrize("page", ["/", "/endpoints/raisin/", "/endpoints/raisin/versions/1/"])
def test_a_converged_one_is_not_blamed(
    page: str, raisin: Endpoint, eve: User, browse: Browse
) -> None:
    assert "not converge" not in text_of(browse(eve).get(page)).lower()

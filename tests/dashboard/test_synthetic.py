"""Where the Raisin stand-in is behind a number, its page says so."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from endpoints.models import Run
from tests.dashboard.conftest import Browse, Site
from tests.dashboard.pages import text_of

BASE = "/endpoints/raisin/"
PAGES = [
    "/",
    BASE,
    f"{BASE}versions/",
    f"{BASE}versions/1/",
    f"{BASE}predictions/",
    f"{BASE}try/",
    "/runs/",
]


@pytest.mark.parametrize("path", PAGES)
def test_it_works(path: str, site: Site, ana: User, browse: Browse) -> None:
    assert "synthetic" in text_of(browse(ana).get(path))


@pytest.mark.parametrize("path", PAGES)
def test_real_data_are_not_called_synthetic(
    path: str, site: Site, ana: User, browse: Browse
) -> None:
    Run.objects.update(synthetic=False, dataset_name="raisin")
    assert "synthetic" not in text_of(browse(ana).get(path))

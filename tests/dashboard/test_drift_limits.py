"""The drift page explains a window by the limits that it was judged by, whatever is set by now."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from endpoints.models import Endpoint, FeatureDrift, Monitor
from endpoints.services.monitoring import configuring
from endpoints.services.monitoring.tick import tick
from tests import cast
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import text_of
from tests.endpoints.services.monitoring import traffic

pytestmark = pytest.mark.django_db
PAGE = "/endpoints/raisin/drift/"
ROWS = 60


@pytest.fixture
def changed(raisin: Endpoint) -> Endpoint:
    """A window by count that is full and one that is open, and settings that were changed since."""
    Monitor.objects.create(endpoint=raisin, window_rows=ROWS, min_rows=10)
    now = timezone.now()
    moments = traffic.every(traffic.SECOND, ROWS + 20, since=now - timedelta(minutes=10))
    traffic.log(raisin, traffic.one_by_one(traffic.training_rows(ROWS + 20)), moments)
    tick(raisin, timezone.now)
    settings = {"effect": 0.375, "alpha": 0.02}
    configuring.configure(endpoint=raisin, settings=settings, actor=cast.SYSTEM, now=now)
    return raisin


def said(raisin: Endpoint, reader: User, browse: Browse, *, is_open: bool) -> str:
    window = traffic.found(raisin, "rows")[1 if is_open else 0]
    assert window.is_open == is_open
    response = browse(reader).get(PAGE, {"window": "rows", "start": window.start.isoformat()})
    assert response.context["drift"].report == window
    return text_of(response)


def test_a_closed_window_has_the_limits_of_its_time(
    changed: Endpoint, eve: User, browse: Browse
) -> None:
    text = said(changed, eve, browse, is_open=False)
    assert "a shift of at least 0.1 (" in text
    assert "a p value below 0.010 after" in text
    assert "By today's settings" not in text
    assert "a p value below 0.05, drift is possible" in text


def test_an_open_window_has_those_of_now(changed: Endpoint, eve: User, browse: Browse) -> None:
    text = said(changed, eve, browse, is_open=True)
    assert "a shift of at least 0.375 (" in text
    assert "a p value below 0.002 after" in text
    assert "a p value below 0.005, drift is possible" in text


def test_what_was_put_away_is_explained_by_todays_settings(
    changed: Endpoint, eve: User, browse: Browse
) -> None:
    FeatureDrift.objects.update(results=[], bins={})
    text = said(changed, eve, browse, is_open=False)
    assert "By today's settings, which may be others than those of its time" in text
    assert "a shift of at least 0.375 (" in text

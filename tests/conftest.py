"""The cast as fixtures: dana trains, alex approves, ana analyses, dev has a key, eve may only look."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from rest_framework.test import APIClient

from endpoints.models import Endpoint
from endpoints.services.snapshots import snapshots
from tests import cast
from tests.live import demo_as_made, demo_site, own_demo  # noqa: F401  fixtures

# How long an example takes says nothing of an answer: a machine may be slow, or busy.
hypothesis_settings.register_profile(
    "raisin", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("raisin")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL leave out what is kept from any database, and says the same as on SQLite."""
    if "DATABASE_URL" not in os.environ:
        return
    config.hook.pytest_deselected(items=[item for item in items if not _reaches_a_database(item)])
    items[:] = filter(_reaches_a_database, items)


def _reaches_a_database(item: pytest.Item) -> bool:
    is_marked = any(item.get_closest_marker(name) for name in ("django_db", "process", "browser"))
    return is_marked or not {"db", "transactional_db"}.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.fixture
def dana(db: None) -> User:
    return cast.person("dana", cast.SCIENTIST)


@pytest.fixture
def alex(db: None) -> User:
    return cast.person("alex", cast.APPROVER)


@pytest.fixture
def ana(db: None) -> User:
    return cast.person("ana", cast.ANALYST)


@pytest.fixture
def eve(db: None) -> User:
    return cast.person("eve")


@pytest.fixture
def dev(db: None) -> User:
    return cast.person("dev", cast.DEVELOPER)


@pytest.fixture
def dev_key(dev: User) -> str:
    """The text of a key that may do all that keys can."""
    return cast.new_key(dev)[1]


@pytest.fixture
def raisin(db: None) -> Endpoint:
    return cast.raisin_endpoint()


@pytest.fixture
def api() -> APIClient:
    """A program without a key; `api.credentials(HTTP_AUTHORIZATION=...)` gives it one."""
    return APIClient()


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[None]:
    """What answers is read once, as in a second of production: for tests that ask often and change nothing."""
    settings.RAISIN_REFRESH_SECONDS = 3_600.0
    monkeypatch.setattr(snapshots, "_served", {})
    snapshots.expire()
    yield
    snapshots.expire()

"""The cast as fixtures: dana trains, alex approves, ana analyses, dev has a key, eve may only look."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from endpoints.models import Endpoint
from tests import cast
from tests.live import demo_as_made, demo_site, own_demo  # noqa: F401  fixtures


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

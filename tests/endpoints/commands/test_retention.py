"""`manage.py retention`: it says what it deletes."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from endpoints.models import Endpoint, PredictionRequest
from tests.endpoints.services.labelled import logged


def retention(*options: str) -> str:
    out = StringIO()
    call_command("retention", *options, stdout=out)
    return out.getvalue()


@pytest.fixture
def old(raisin: Endpoint) -> Endpoint:
    """Three requests of a year ago, and one of now."""
    logged(raisin, 3, now=timezone.now() - timedelta(days=365))
    logged(raisin, 1, now=timezone.now())
    return raisin


def test_it_works(old: Endpoint) -> None:
    facts = json.loads(retention("--days", "90", "--json"))
    assert facts.pop("before") < f"{timezone.now() - timedelta(days=89):%Y-%m-%d}"
    assert facts == {
        "days": 90,
        "requests": 3,
        "labels": 0,
        "minutes": 1,
        "units": 0,
        "deleted": True,
    }
    assert PredictionRequest.objects.count() == 1


def test_it_tells_first(old: Endpoint) -> None:
    told = retention("--days", "90", "--dry-run")
    assert told.startswith("Would delete 3 requests before 20")
    assert PredictionRequest.objects.count() == 4


def test_it_takes_the_days_from_the_settings(old: Endpoint, settings: Any) -> None:
    settings.RAISIN_LOG_DAYS = 90
    assert retention().startswith("Deleted 3 requests before 20")


def test_it_says_that_all_is_kept(old: Endpoint) -> None:
    assert retention().startswith("Requests are kept for good")
    assert PredictionRequest.objects.count() == 4


def test_it_refuses_less_than_no_days(db: None) -> None:
    with pytest.raises(CommandError, match="0 or more"):
        retention("--days", "-1")

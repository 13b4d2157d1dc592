"""`manage.py retention`: it says what it deletes, and a server goes on answering meanwhile."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from endpoints.models import Endpoint, PredictionRequest
from tests.endpoints.services.labelled import logged
from tests.live import LiveSite
from tests.serving.kept import logged as kept_in_log
from tests.serving.load import load

COPIES = 5
MULTIPLY = f"""
    WITH RECURSIVE copy(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < {COPIES})
    INSERT OR IGNORE INTO endpoints_predictionrequest
    SELECT substr(id, 1, 18) || printf('%04x', n) || substr(id, 23), endpoint_id, version_id,
        created_at, source, protocol,
        caller, correlation_id, traceparent, row_count, inputs, imputed, probabilities, predictions,
        threshold, latency_us, probability, label, arm_id, unit, shadow
    FROM endpoints_predictionrequest, copy
"""


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


@pytest.mark.process
def test_a_server_answers_while_it_deletes(own_demo: LiveSite) -> None:
    if own_demo.database_url:
        pytest.skip("only in SQLite do deleting and answering wait for each other")
    file = own_demo.home / "raisin-log.sqlite3"
    with closing(sqlite3.connect(file)) as log, log:
        log.execute(MULTIPLY)
    with load(own_demo, connections=4) as running:
        facts = own_demo.manage_json("retention", "--days", "1")
    assert facts["requests"] > 5_000
    assert (running.broken, dict(running.refused)) == (0, {})
    answered = {got.answer["request_id"] for got in running.received}
    assert answered <= kept_in_log(own_demo).keys()
    with closing(sqlite3.connect(file)) as log:
        assert log.execute("PRAGMA freelist_count").fetchone()[0] < 50

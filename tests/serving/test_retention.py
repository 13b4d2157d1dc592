"""A server goes on answering while old requests are deleted."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

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

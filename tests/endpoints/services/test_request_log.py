"""The log's tables: they are what the models say, and hold what was answered and counted."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection

from endpoints.errors import InvalidRows, LogUnavailable
from endpoints.models import ABTraffic, Endpoint, PredictionRequest, RollUp
from endpoints.models.roll_up import Span
from endpoints.services import log_tables, request_log, serving
from endpoints.services.log_tables import partition_starts
from endpoints.services.serving import Question
from endpoints.services.tallies import Entry, Refused
from tests import cast


def answer(endpoint: Endpoint, **facts: Any) -> serving.Answer:
    asked = {"slug": endpoint.slug, "rows": [cast.ROW], "caller": cast.SYSTEM} | facts
    return serving.predict(Question(**asked), clock=lambda: cast.THEN)


def test_it_works(raisin: Endpoint) -> None:
    given = answer(raisin, rows=[cast.ROW, cast.ROW])
    logged = PredictionRequest.objects.select_related("version__endpoint").get(pk=given.request_id)
    assert logged.version == given.version
    assert logged.created_at == cast.THEN
    assert logged.inputs == [[float(value) for value in cast.ROW.values()]] * 2
    assert logged.probabilities == [row[1] for row in given.probabilities]
    assert logged.predictions == given.predictions
    assert (logged.row_count, logged.imputed, logged.caller) == (2, [], "dana")


def test_it_counts_what_it_logs(raisin: Endpoint) -> None:
    answer(raisin)
    answer(raisin, rows=[cast.ROW, cast.ROW])
    for span in Span:
        rows = RollUp.objects.filter(endpoint=raisin, seconds=span)
        assert sum(row.requests for row in rows) == 2
        assert sum(row.rows for row in rows) == 3
        assert {row.start for row in rows} == {span.start(cast.THEN)}
        assert sum(sum(row.scores.values()) for row in rows) == 3


def test_it_counts_refusals(raisin: Endpoint) -> None:
    with pytest.raises(InvalidRows) as refusal:
        answer(raisin, rows=[{}])
    serving.count_refusal(raisin.slug, refusal.value, now=cast.THEN)
    serving.count_refusal("nothing-here", refusal.value, now=cast.THEN)
    found = RollUp.objects.filter(seconds=Span.HOUR)
    assert [(row.number, row.requests, row.refusals) for row in found] == [
        (1, 0, {"invalid_rows": 1})
    ]


def test_refusals_are_written_though_nothing_is_answered(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.RAISIN_LOG_GROUPED = True
    written = threading.Event()
    log = request_log.RequestLog()
    monkeypatch.setattr(log._tables, "write", lambda *_: written.set())
    log.count_refusal(Refused(1, 0, "no_model", cast.THEN))
    assert written.wait(10)
    log._group.stop()


def test_a_log_that_cannot_be_written_refuses_the_request(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def write(self, *_: object) -> None:
            raise OperationalError("disk I/O error")

        def close(self) -> None: ...

    monkeypatch.setattr(request_log, "_log", None)  # a log of its own, which may remember it
    monkeypatch.setattr(request_log.log(), "_tables", Broken())
    with pytest.raises(LogUnavailable, match="cannot be written"):
        answer(raisin)


def test_a_write_whose_end_nobody_knows_is_counted_right(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection may break after the commit and before its answer."""
    log = request_log.RequestLog()
    monkeypatch.setattr(request_log, "_log", log)
    write, writer = log._tables.write, log._tallies.writer

    def break_afterwards(*arguments: Any) -> None:
        write(*arguments)
        raise OperationalError("the connection is lost")

    with monkeypatch.context() as broken, pytest.raises(LogUnavailable):
        broken.setattr(log._tables, "write", break_afterwards)
        answer(raisin)
    assert log._tallies.writer != writer
    answer(raisin)
    for span in Span:
        assert sum(row.requests for row in RollUp.objects.filter(seconds=span)) == 2


@pytest.mark.django_db
@pytest.mark.parametrize("model", [PredictionRequest, RollUp, ABTraffic])
def test_the_tables_have_the_columns_of_the_models(model: Any) -> None:
    """They are made by hand, so nothing else would notice."""
    if connection.vendor == "sqlite":
        query = f"SELECT name FROM pragma_table_info('{model._meta.db_table}')"
    else:
        query = (
            "SELECT column_name FROM information_schema.columns "
            f"WHERE table_name = '{model._meta.db_table}'"
        )
    with connection.cursor() as cursor:
        cursor.execute(query)
        columns = {name for (name,) in cursor.fetchall()}
    fields = {field.column for field in model._meta.concrete_fields if field.column}
    assert columns == fields


def test_an_entry_has_the_columns_of_the_table() -> None:
    fields = {field.column for field in PredictionRequest._meta.concrete_fields}
    assert set(Entry._fields) == fields
    assert set(log_tables._POSTGRESQL_TYPES) <= fields


def test_a_partition_is_a_week_from_monday() -> None:
    sunday = cast.THEN - timedelta(days=1)
    starts = partition_starts([cast.THEN, cast.THEN + timedelta(days=6), sunday])
    assert [f"{start:%a %Y-%m-%d}" for start in sorted(starts)] == [
        "Mon 2026-10-26",
        "Mon 2026-11-02",
    ]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="partitions are PostgreSQL's")
def test_each_week_has_a_partition(raisin: Endpoint) -> None:
    for weeks in (0, 1, 1, 5):
        moment = cast.THEN + timedelta(weeks=weeks)
        question = Question(slug=raisin.slug, rows=[cast.ROW], caller=cast.SYSTEM)
        serving.predict(question, clock=lambda moment=moment: moment)  # type: ignore[misc]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text, count(*) FROM endpoints_predictionrequest GROUP BY 1"
        )
        counts = dict(cursor.fetchall())
    assert counts == {
        "endpoints_predictionrequest_20261102": 1,
        "endpoints_predictionrequest_20261109": 2,
        "endpoints_predictionrequest_20261207": 1,
    }

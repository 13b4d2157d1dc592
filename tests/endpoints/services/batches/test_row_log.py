"""Scored rows enter the request log once, packed, and are no traffic."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError

from endpoints.models import (
    BatchJob,
    Endpoint,
    Feedback,
    LabelCount,
    PredictionRequest,
    RollUp,
)
from endpoints.services import feedback, log_tables
from endpoints.services.access import Caller
from endpoints.services.batches import row_log
from endpoints.services.batches.reports import FeedbackCounts, ScoreReport
from endpoints.services.leases import Lease, Stopped
from endpoints.services.log_tables import Counted
from endpoints.services.tallies import Entry
from tests import cast
from tests.endpoints.services.batches.made import checked, grains, scored, work

pytestmark = pytest.mark.django_db


@pytest.fixture
def small_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_log, "MOST_ROWS", 10)


def logged() -> list[PredictionRequest]:
    return list(PredictionRequest.objects.filter(source="batch").order_by("id"))


def with_a_bad_row(rows: int, *, labels: bool = False) -> bytes:
    lines = grains(rows, labels=labels).splitlines(keepends=True)
    lines[3] = b"x" + lines[3]
    return b"".join(lines)


@pytest.mark.usefixtures("small_entries")
def test_it_works(raisin: Endpoint) -> None:
    job = scored(raisin, with_a_bad_row(25))
    entries = logged()
    assert [entry.row_count for entry in entries] == [10, 10, 4]
    first = entries[0]
    assert (first.version, first.endpoint, first.created_at) == (
        job.version,
        raisin,
        job.started_at,
    )
    assert (first.caller, first.correlation_id) == ("batch grains.csv", job.pk)
    assert (first.protocol, first.arm, first.probability, first.label) == ("", None, None, "")
    inputs = [row for entry in entries for row in entry.inputs]
    answer = cast.prediction(raisin, rows=inputs)
    assert [p for entry in entries for p in entry.probabilities] == pytest.approx(
        [p[1] for p in answer.probabilities], abs=1e-12
    )
    assert [n for entry in entries for n in entry.predictions] == answer.predictions


def test_a_file_of_one_row_is_an_entry_like_any_of_one_row(raisin: Endpoint) -> None:
    scored(raisin, grains(1))
    [entry] = logged()
    assert entry.probability == entry.probabilities[0]
    assert entry.label in ("Besni", "Kecimen")


def test_rows_are_left_out_if_so_wished(raisin: Endpoint) -> None:
    job = scored(raisin, grains(25), log_rows=False)
    assert (logged(), ScoreReport.from_dict(job.report).logged) == ([], 0)


@pytest.mark.usefixtures("small_entries")
def test_a_chunk_that_is_scored_again_is_logged_once(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker died after it had logged a part of a chunk, before the cursor moved."""
    job = checked(raisin, grains(45), starts_itself=True)
    monkeypatch.setattr(row_log, "AT_ONCE", 2)
    write, steps = row_log.RowLog._write, 0

    def dying(log: row_log.RowLog, entries: object) -> None:
        nonlocal steps
        steps += 1
        if steps == 2:
            raise MemoryError
        write(log, entries)  # type: ignore[arg-type]

    monkeypatch.setattr(row_log.RowLog, "_write", dying)
    assert work(job).state == "failed"
    assert [entry.row_count for entry in logged()] == [10, 10]
    monkeypatch.undo()
    monkeypatch.setattr(row_log, "MOST_ROWS", 10)
    BatchJob.objects.update(state="queued")
    job.refresh_from_db()
    assert work(job).state == "done"
    assert [entry.row_count for entry in logged()] == [10, 10, 10, 10, 5]


class Busy:
    """The log while others hold it: the first attempts to write find it so."""

    def __init__(self, error: Exception, attempts: int) -> None:
        self._error, self._left, self._tables = error, attempts, log_tables.open_tables()

    def write(self, entries: Sequence[Entry], counted: Counted) -> None:
        if self._left:
            self._left -= 1
            raise self._error
        self._tables.write(entries, counted)

    def close(self) -> None:
        self._tables.close()


def scored_while(
    error: Exception, attempts: int, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> BatchJob:
    job = checked(endpoint, grains(25), starts_itself=True)
    tables = Busy(error, attempts)
    monkeypatch.setattr(row_log, "PAUSE", 0)
    monkeypatch.setattr(row_log, "open_tables", lambda: tables)
    return work(job)


def of_sqlite(code: int) -> Exception:
    error = sqlite3.OperationalError("of SQLite")
    error.sqlite_errorcode = code
    return error


BUSY = [of_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT), OperationalError("of PostgreSQL")]


@pytest.mark.parametrize("error", BUSY, ids=str)
def test_a_log_that_is_busy_is_waited_for(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    job = scored_while(error, row_log.ATTEMPTS - 1, raisin, monkeypatch)
    assert (job.state, [entry.row_count for entry in logged()]) == ("done", [25])


@pytest.mark.parametrize("error", BUSY, ids=str)
def test_a_log_that_stays_busy_lets_the_job_wait(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    job = scored_while(error, row_log.ATTEMPTS, raisin, monkeypatch)
    assert (job.state, job.worker, job.attempt, logged()) == ("queued", "", 0, [])
    assert work(job).state == "done"
    assert [entry.row_count for entry in logged()] == [25]


def test_a_log_whose_disk_is_full_is_not_waited_for(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = scored_while(of_sqlite(sqlite3.SQLITE_FULL), 1, raisin, monkeypatch)
    assert (job.state, job.message) == ("failed", row_log.UNAVAILABLE)


def test_a_batch_is_no_traffic(raisin: Endpoint) -> None:
    scored(raisin, grains(25))
    assert not RollUp.objects.exists()
    assert not PredictionRequest.objects.monitored().exists()


@pytest.mark.usefixtures("small_entries")
def test_true_labels_become_feedback(raisin: Endpoint, dana: User, dev: User) -> None:
    job = scored(
        raisin,
        with_a_bad_row(25, labels=True),
        actor=Caller(user=dev),
        label_column="Class",
        store_labels=True,
    )
    found = ScoreReport.from_dict(job.report)
    assert (found.logged, found.feedback) == (24, FeedbackCounts(stored=24, invalid=0))
    labels = Feedback.objects.filter(current=True)
    assert (labels.count(), {label.actor for label in labels}) == (24, {dev})
    assert found.metrics is not None
    assert labels.filter(correct=True).count() == found.metrics["accuracy"] * 24
    last = logged()[-1]
    assert set(last.feedback.values_list("row", flat=True)) == {0, 1, 2, 3}


def test_labels_that_name_no_class_are_counted(raisin: Endpoint) -> None:
    content = grains(10, labels=True).replace(b"Kecimen\n", b"Rumi\n", 1)
    job = scored(raisin, content, label_column="Class", store_labels=True)
    kept = ScoreReport.from_dict(job.report).feedback
    assert kept == FeedbackCounts(stored=9, invalid=1)


def test_labels_of_a_batch_do_not_count_as_live(raisin: Endpoint) -> None:
    scored(raisin, grains(10, labels=True), label_column="Class", store_labels=True)
    assert not LabelCount.objects.exists()


def test_labels_of_a_chunk_that_is_scored_again_are_there_once(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker ended after it had kept the labels, before the cursor moved."""
    wishes = {"label_column": "Class", "store_labels": True, "starts_itself": True}
    job = checked(raisin, grains(10, labels=True), **wishes)
    save = Lease.save

    def but_not_the_chunk(lease: Lease, **facts: Any) -> None:
        if "started_at" not in facts:
            raise Stopped
        save(lease, **facts)

    monkeypatch.setattr(Lease, "save", but_not_the_chunk)
    assert (work(job).state, job.rows_done, Feedback.objects.count()) == ("queued", 0, 10)
    monkeypatch.setattr(Lease, "save", save)
    assert work(job).state == "done"
    assert (Feedback.objects.count(), len(logged())) == (10, 1)
    assert ScoreReport.from_dict(job.report).feedback == FeedbackCounts(stored=10)


def test_a_label_that_came_otherwise_is_corrected(raisin: Endpoint) -> None:
    scored(raisin, grains(1))
    [entry] = logged()
    caller = Caller(system="tests")
    request = feedback.find_request(str(entry.pk), caller=caller)
    recorded = feedback.record(request=request, label="Kecimen", row=0, actor=caller, now=cast.THEN)
    assert recorded.outcome == "recorded"

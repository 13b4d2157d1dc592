"""Rows are scored chunk by chunk: every row once, as it came, whatever happens to the worker."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from endpoints.errors import Conflict
from endpoints.models import BatchJob, Endpoint, PredictionRequest, Status
from endpoints.services import snapshots, working
from endpoints.services.batches import folders, outputs, scoring
from endpoints.services.batches.reports import ScoreReport
from endpoints.services.leases import Cancelled, Lease, Stopped
from mlcore.schema import Schema
from tests import cast
from tests.endpoints.grains import three_classes
from tests.endpoints.services.batches.made import (
    as_parquet,
    checked,
    grains,
    scored,
    started,
    work,
)
from tests.endpoints.services.decisions import NOON
from tests.live import ROW

pytestmark = pytest.mark.django_db


def report(job: BatchJob) -> ScoreReport:
    return ScoreReport.from_dict(job.report)


def results(job: BatchJob) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(folders.results(job).read_text())))


def with_bad_rows(rows: int) -> bytes:
    lines = grains(rows).splitlines(keepends=True)
    lines[3] = b"x" + lines[3]
    lines[5] = b"1,2\n"
    return b"".join(lines)


def test_it_works(raisin: Endpoint) -> None:
    job = scored(raisin, grains(50))
    assert (job.state, job.rows, job.rows_done, job.rows_bad) == ("done", 50, 50, 0)
    assert (job.cursor, job.worker, job.ended_at is None) == ({}, "", False)
    rows = results(job)
    inputs = [[float(row[name]) for name in ROW] for row in rows]
    answer = cast.prediction(raisin, rows=inputs)
    assert [row["label"] for row in rows] == answer.labels
    assert [float(row["probability"]) for row in rows] == pytest.approx(
        [p[1] for p in answer.probabilities], abs=1e-12
    )
    assert {(row["version"], row["error"]) for row in rows} == {("1", "")}


def test_the_original_text_is_untouched(raisin: Endpoint) -> None:
    job = scored(raisin, with_bad_rows(50))
    before = with_bad_rows(50).splitlines()
    after = folders.results(job).read_bytes().splitlines()
    assert len(after) == len(before)
    assert all(new.startswith(old) for old, new in zip(before, after, strict=True))


def test_bad_rows_are_told_by_their_places(raisin: Endpoint) -> None:
    job = scored(raisin, with_bad_rows(50))
    assert (job.state, job.rows_done, job.rows_bad) == ("done", 50, 2)
    told = list(csv.DictReader(io.StringIO(folders.errors(job).read_text())))
    assert [row["row"] for row in told] == ["3", "5"]
    assert (told[0]["column"], told[0]["value"][0]) == ("Area", "x")
    assert sum(report(job).errors.values()) == 2
    assert [place["row"] for place in report(job).first_errors] == [3, 5]


def test_it_sums_up_what_came_out(raisin: Endpoint) -> None:
    job = scored(raisin, grains(50))
    found = report(job)
    assert (found.rows, found.bad, sum(found.histogram), found.logged) == (50, 0, 50, 50)
    assert sum(found.labels.values()) == 50
    assert found.positive_rate == found.labels["Besni"] / 50
    assert (found.metrics, found.confusion, found.feedback, found.before) == (None,) * 4
    assert found.seconds > 0


def test_it_is_compared_with_the_batch_before(raisin: Endpoint) -> None:
    first = scored(raisin, grains(50))
    before = report(scored(raisin, grains(60))).before
    assert before is not None
    assert (before.job, before.positive_rate) == (first.pk, report(first).positive_rate)


def test_true_labels_tell_how_good_it_is(raisin: Endpoint) -> None:
    job = scored(raisin, grains(100, labels=True), label_column="Class")
    found = report(job)
    right = sum(row["label"] == row["Class"] for row in results(job))
    assert found.metrics is not None and found.confusion is not None
    assert (found.metrics["rows"], found.metrics["accuracy"]) == (100, right / 100)
    assert found.confusion["Besni"]["Besni"] + found.confusion["Kecimen"]["Kecimen"] == right


def test_labels_that_name_no_class_are_counted_apart(raisin: Endpoint) -> None:
    file = grains(4, labels=True).replace(b",Kecimen", b",kecimen").replace(b",Besni", b",besni")
    found = report(scored(raisin, file, label_column="Class"))
    assert (found.metrics, found.unknown_labels) == (None, 4)


def test_three_classes_have_a_probability_each(db: None) -> None:
    from endpoints.services.training import TrainingJob, run_training
    from mlcore.training import TrainingSpec

    job = TrainingJob(
        table=three_classes(),
        spec=TrainingSpec(target="Class"),
        experiment="grains",
        actor=cast.SYSTEM,
    )
    endpoint = cast.an_endpoint("grains")
    run = run_training(job, clock=lambda: cast.THEN).run
    cast.registered_version(endpoint, run=run, status=Status.PRODUCTION)
    done = scored(endpoint, grains(30))
    assert (done.state, report(done).positive_rate) == ("done", None)
    row = results(done)[0]
    assert sum(float(row[f"probability_{name}"]) for name in ("Besni", "Kecimen", "Rumi")) == (
        pytest.approx(1.0)
    )


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "CHUNK_BYTES", dict.fromkeys(scoring.CHUNK_BYTES, 1_000))


def undisturbed(endpoint: Endpoint) -> tuple[bytes, bytes]:
    job = scored(endpoint, with_bad_rows(200))
    return folders.results(job).read_bytes(), folders.errors(job).read_bytes()


def interrupted(
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
    *,
    content: bytes = b"",
) -> BatchJob:
    """Score some chunks of a job, as a worker does until this happens to it."""
    job = checked(endpoint, content or with_bad_rows(200), starts_itself=True)
    save, steps = Lease.save, 0

    def at_the_fourth(lease: Lease, **facts: Any) -> None:
        nonlocal steps
        save(lease, **facts)
        steps += 1
        if steps == 4:
            raise error

    monkeypatch.setattr(Lease, "save", at_the_fourth)
    work(job)
    monkeypatch.setattr(Lease, "save", save)
    return job


@pytest.mark.usefixtures("small_chunks")
def test_a_worker_that_is_told_to_end_leaves_the_rest_to_the_next(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = undisturbed(raisin)
    job = interrupted(raisin, monkeypatch, Stopped)
    assert job.state == "queued"
    assert 0 < job.rows_done < 200
    assert work(job).state == "done"
    assert (folders.results(job).read_bytes(), folders.errors(job).read_bytes()) == whole
    assert (job.rows_done, job.rows_bad, report(job).logged) == (200, 2, 198)


@pytest.mark.usefixtures("small_chunks")
def test_what_was_written_behind_the_cursor_is_written_again(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker may die, or write on for a while, at any place of a chunk."""
    whole = undisturbed(raisin)
    job = interrupted(raisin, monkeypatch, Stopped)
    with folders.results(job).open("r+b") as file:
        file.seek(job.cursor["out"])
        file.write(b"half a ch")
        file.seek(10_000_000)
        file.write(b"of another release")
    assert work(job).state == "done"
    assert (folders.results(job).read_bytes(), folders.errors(job).read_bytes()) == whole


def logged_rows(job: BatchJob) -> int:
    counts = PredictionRequest.objects.filter(correlation_id=job.pk)
    return sum(counts.values_list("row_count", flat=True))


@pytest.mark.parametrize("path_of", [folders.results, folders.errors])
@pytest.mark.usefixtures("small_chunks")
def test_a_file_that_holds_less_than_the_cursor_says_is_written_from_the_first_row(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch, path_of: Callable[[BatchJob], Path]
) -> None:
    whole = undisturbed(raisin)
    job = interrupted(raisin, monkeypatch, Stopped)
    os.truncate(path_of(job), 30)
    begun = job.started_at
    assert (work(job).state, job.started_at) == ("done", begun)
    assert (folders.results(job).read_bytes(), folders.errors(job).read_bytes()) == whole
    assert (job.rows_done, job.rows_bad, report(job).logged) == (200, 2, 198)
    assert logged_rows(job) == 198


@pytest.mark.usefixtures("small_chunks")
def test_a_release_with_chunks_of_another_size_logs_no_row_twice(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = interrupted(raisin, monkeypatch, Stopped)
    folders.results(job).unlink()
    monkeypatch.setattr(scoring, "CHUNK_BYTES", dict.fromkeys(scoring.CHUNK_BYTES, 700))
    assert (work(job).state, logged_rows(job)) == ("done", 198)


@pytest.mark.usefixtures("small_chunks")
def test_a_cancelled_job_ends_within_a_chunk(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = interrupted(raisin, monkeypatch, Cancelled)
    assert job.state == "cancelled"
    assert 0 < job.rows_done < 200


@pytest.fixture
def fills(raisin: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the version be trained on a table in which every column had a gap."""
    classifier = snapshots.load(raisin.versions.get(number=1))
    columns = [replace(column, fill=87_524.0) for column in classifier.schema.columns]
    tolerant = replace(classifier, schema=Schema(tuple(columns)))
    monkeypatch.setattr(snapshots, "load", lambda version: tolerant)


def with_a_gap_at_the_end(rows: int) -> bytes:
    return grains(rows) + b",1,1,0.5,1,0.5,1\n"


@pytest.mark.usefixtures("fills")
def test_missing_cells_are_filled_where_the_endpoint_does_so(raisin: Endpoint) -> None:
    assert scored(raisin, with_a_gap_at_the_end(10)).rows_bad == 0
    logged = PredictionRequest.objects.get(source="batch")
    assert (logged.imputed[-1], logged.inputs[-1][0]) == (["Area"], 87_524.0)
    Endpoint.objects.update(missing_values="refuse")
    raisin.refresh_from_db()
    assert scored(raisin, with_a_gap_at_the_end(10)).rows_bad == 1


@pytest.mark.usefixtures("fills", "small_chunks")
def test_all_rows_are_scored_by_the_same_policy(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endpoint that begins to refuse missing cells does so in the next batch."""
    job = interrupted(raisin, monkeypatch, Stopped, content=with_a_gap_at_the_end(200))
    Endpoint.objects.update(missing_values="refuse")
    assert (work(job).state, job.rows_bad) == ("done", 0)


def test_a_parquet_file_is_answered_by_one(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch, small_chunks: None
) -> None:
    job = interrupted(raisin, monkeypatch, Stopped, content=as_parquet(grains(5_000)))
    assert (job.format, 0 < job.rows_done < 5_000) == ("parquet", True)
    assert (work(job).state, job.rows_done, job.rows_bad) == ("done", 5_000, 0)
    found = pl.read_parquet(folders.results(job))
    text = scored(raisin, grains(5_000))
    assert found["probability"].to_list() == [float(row["probability"]) for row in results(text)]
    assert found["label"].to_list() == [row["label"] for row in results(text)]
    assert found["Area"].to_list() == pl.read_csv(grains(5_000))["Area"].to_list()
    assert not folders.parts(job).exists()


@pytest.mark.usefixtures("small_chunks")
def test_a_part_of_a_parquet_file_that_is_gone_is_written_again(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = interrupted(raisin, monkeypatch, Stopped, content=as_parquet(grains(5_000)))
    (folders.parts(job) / "00000001.parquet").unlink()
    assert (work(job).state, job.rows_done, logged_rows(job)) == ("done", 5_000, 5_000)
    areas = pl.read_parquet(folders.results(job))["Area"]
    assert areas.to_list() == pl.read_csv(grains(5_000))["Area"].to_list()


def test_it_is_cancelled_while_its_parts_are_joined(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def join(parts: Any, target: Path, alive: Callable[[], None]) -> None:
        target.touch()
        BatchJob.objects.update(cancel_requested_at=NOON)
        while True:
            alive()

    monkeypatch.setattr(outputs.scoring, "join", join)
    job = checked(raisin, as_parquet(grains(100)), starts_itself=True)
    assert work(job).state == "cancelled"
    assert not folders.results(job).exists()
    assert list(folders.parts(job).glob("draft-*")) == []


def test_it_is_not_scored_at_a_paused_endpoint(raisin: Endpoint) -> None:
    job = checked(raisin, grains(10), starts_itself=True)
    Endpoint.objects.update(paused_at=NOON)
    done = work(job)
    assert (done.state, "paused" in done.message) == ("ready", True)


def paused_midway(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> BatchJob:
    """Return a job of which some rows are scored, and that may be started again."""
    job = interrupted(endpoint, monkeypatch, Stopped)
    Endpoint.objects.update(paused_at=NOON)
    assert (work(job).state, 0 < job.rows_done < 200) == ("ready", True)
    Endpoint.objects.update(paused_at=None)
    return BatchJob.objects.get(pk=job.pk)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize(
    "other",
    [
        {"mapping": {"Area": "ConvexArea"}},
        {"label_column": "Extent"},
        {"log_rows": False},
        {"label_column": "Extent", "store_labels": True},
    ],
)
def test_rows_before_and_after_a_pause_are_scored_with_the_same_choices(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch, other: dict[str, Any]
) -> None:
    job = paused_midway(raisin, monkeypatch)
    with pytest.raises(Conflict, match=f"other choices, up to row {job.rows_done}: .* again"):
        started(job, actor=cast.SYSTEM, **other)
    job.refresh_from_db()
    assert (job.state, job.mapping["Area"], job.log_rows) == ("ready", "Area", True)


@pytest.mark.usefixtures("small_chunks")
def test_with_the_same_choices_it_goes_on_after_a_pause(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = undisturbed(raisin)
    job = started(paused_midway(raisin, monkeypatch), mapping={})
    assert (work(job).state, job.rows_done) == ("done", 200)
    assert (folders.results(job).read_bytes(), folders.errors(job).read_bytes()) == whole


@pytest.mark.usefixtures("small_chunks")
def test_whoever_saw_it_before_its_first_row_starts_it_no_more(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = paused_midway(raisin, monkeypatch)
    job.cursor, job.started_at = {}, None
    with pytest.raises(Conflict, match="Somebody else has started"):
        started(job, log_rows=False)


def test_a_worker_without_a_name_works_too(raisin: Endpoint) -> None:
    job = checked(raisin, grains(10), starts_itself=True)
    working.at(BatchJob, job.pk, scoring.score)
    job.refresh_from_db()
    assert job.state == "done"


def test_the_names_of_its_files_outlive_a_power_cut_that_the_cursor_outlives(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = checked(raisin, grains(10), starts_itself=True)
    cursors: list[Any] = []

    def note(path: Path) -> None:
        assert path == folders.folder(job)
        assert {found.name for found in path.iterdir()} >= {"results.csv", "errors.csv"}
        cursors.append(BatchJob.objects.get().cursor)

    monkeypatch.setattr(outputs, "sync", note)
    assert work(job).state == "done"
    assert cursors == [{}]

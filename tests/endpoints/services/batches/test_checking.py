"""A file is looked at before its rows are scored: is it one, has it what the model needs, what comes out."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable

import polars as pl
import pytest

from endpoints.models import BatchJob, Endpoint
from endpoints.services.batches import checking, folders
from endpoints.services.batches.reports import CheckReport, ScoreReport
from endpoints.services.leases import Lease, LeaseLost
from tests import cast
from tests.endpoints.services.batches.made import as_parquet, checked, grains, received, work
from tests.endpoints.services.decisions import NOON

pytestmark = pytest.mark.django_db


def report(job: BatchJob) -> CheckReport:
    return CheckReport.from_dict(job.check_report)


def renamed(before: bytes, after: bytes, rows: int = 20) -> bytes:
    header, rest = grains(rows).split(b"\n", 1)
    return header.replace(before, after) + b"\n" + rest


def test_it_works(raisin: Endpoint) -> None:
    job = checked(raisin, grains(20))
    assert (job.state, job.rows, job.message, job.ended_at) == ("ready", 20, "", None)
    assert (job.worker, job.heartbeat_at) == ("", None)
    found = report(job)
    assert (found.rows, len(found.matched), found.missing, found.problems) == (20, 7, (), ())
    assert set(job.mapping) == set(job.mapping.values()) == set(found.matched)


def test_the_first_rows_are_scored(raisin: Endpoint) -> None:
    preview = report(checked(raisin, grains(20))).preview
    assert (preview.columns[0], len(preview.rows)) == ("Area", 10)
    [answer] = cast.prediction(raisin, rows=[[float(cell) for cell in preview.rows[0].cells]]).rows
    assert preview.rows[0].probability == pytest.approx(answer.probabilities[1], abs=1e-12)
    assert (preview.rows[0].label, preview.rows[0].error) == (answer.label, "")


def test_nul_in_cells_reaches_no_database(raisin: Endpoint) -> None:
    file = io.BytesIO()
    rows = pl.read_csv(grains(20)).with_columns(
        pl.lit("a\0b").alias("note"),
        pl.when(pl.int_range(20) == 3).then(pl.lit("1\0")).otherwise("Area").alias("Area"),
    )
    rows.write_parquet(file)
    job = work(checked(raisin, file.getvalue(), starts_itself=True))
    assert (job.state, job.rows_bad) == ("done", 1), job.message
    assert report(job).preview.rows[0].cells[-1] == "a�b"
    assert ScoreReport.from_dict(job.report).first_errors[0]["value"] == "1�"


def test_nul_in_the_name_of_a_column_is_refused(raisin: Endpoint) -> None:
    file = io.BytesIO()
    pl.read_csv(grains(20)).rename({"Area": "Ar\0ea"}).write_parquet(file)
    job = checked(raisin, file.getvalue())
    assert (job.state, "NUL character" in job.message) == ("failed", True)


def test_the_plain_form_is_kept_in_place_of_the_upload(raisin: Endpoint) -> None:
    job = checked(raisin, gzip.compress(grains(20)), name="grains.csv.gz")
    assert folders.source(job).read_bytes() == grains(20)
    assert [path.name for path in folders.folder(job).iterdir()] == ["source.csv"]


def test_a_missing_feature_needs_attention(raisin: Endpoint) -> None:
    job = checked(raisin, renamed(b"Perimeter", b"perimetre"))
    assert job.state == "needs_attention"
    [missing] = report(job).missing
    assert (missing.name, missing.suggestion) == ("Perimeter", "perimetre")
    assert job.message == "No column is called “Perimeter”. Is it “perimetre”?"
    assert report(job).preview.rows == ()
    assert report(job).rows == 20


def test_a_column_may_be_named_for_a_feature(raisin: Endpoint) -> None:
    mapping = {"Perimeter": "perimetre"}
    job = checked(raisin, renamed(b"Perimeter", b"perimetre"), mapping=mapping)
    assert (job.state, job.mapping["Perimeter"], job.mapping["Area"]) == (
        "ready",
        "perimetre",
        "Area",
    )


@pytest.mark.parametrize(
    ("column", "hint"), [("Nope", " Is it “Area”?"), ("Extend", " Is it “Extent”?")]
)
def test_a_column_that_is_not_there_is_told_by_its_name(
    column: str, hint: str, raisin: Endpoint
) -> None:
    mapping = {"Area": column, "Extent": "Perimeter"}
    job = checked(raisin, grains(20), mapping=mapping, starts_itself=True)
    assert job.state == "needs_attention"
    assert job.message == f"No column is called “{column}”, which was named for “Area”.{hint}"


def test_a_column_that_is_read_for_two_features_is_told(raisin: Endpoint) -> None:
    job = checked(raisin, grains(20), mapping={"Perimeter": "Area"})
    found = report(job)
    assert (job.state, found.problems, found.extra) == ("ready", (), ("Perimeter",))
    assert found.notes == ("The column “Area” is read for several features: “Area”, “Perimeter”.",)


def test_columns_that_nobody_asks_for_are_named(raisin: Endpoint) -> None:
    assert report(checked(raisin, grains(20, labels=True))).extra == ("Class",)
    labelled = checked(raisin, grains(20, labels=True), label_column="Class")
    assert report(labelled).extra == ()


def test_a_column_of_labels_that_is_not_there_needs_attention(raisin: Endpoint) -> None:
    job = checked(raisin, grains(20), label_column="Class", starts_itself=True)
    assert (job.state, "“Class”" in job.message) == ("needs_attention", True)


def test_rows_that_cannot_be_scored_need_attention(raisin: Endpoint) -> None:
    header, _ = grains(1).split(b"\n", 1)
    job = checked(raisin, header + b"\n" + b"a,b,c,d,e,f,g\n" * 20, starts_itself=True)
    assert job.state == "needs_attention"
    assert job.message.startswith("None of the first rows can be scored: Area: ")


def test_it_starts_by_itself_if_nothing_is_wrong(raisin: Endpoint) -> None:
    job = checked(raisin, grains(20), starts_itself=True)
    assert (job.state, job.attempt, job.ended_at) == ("queued", 0, None)
    assert job.heartbeat_at is not None


def test_what_is_no_table_has_failed(raisin: Endpoint) -> None:
    job = checked(raisin, b"<!DOCTYPE html><html></html>")
    assert (job.state, bool(job.message), job.problems) == ("failed", True, [])


def test_a_file_is_read_once(raisin: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that died after it had kept the plain form leaves only the rest to the next."""
    job = received(raisin, grains(20))
    monkeypatch.setattr(checking, "_preview", lambda plan: 1 / 0)
    assert work(job).state == "failed"
    assert not folders.upload(job).exists()
    monkeypatch.undo()
    BatchJob.objects.update(state="uploaded")
    job.refresh_from_db()
    assert work(job).state == "ready"


@pytest.mark.parametrize("form", [bytes, as_parquet], ids=["csv", "parquet"])
def test_a_file_whose_reading_a_power_cut_undid_is_read_again(
    raisin: Endpoint, form: Callable[[bytes], bytes]
) -> None:
    """The upload is gone by then."""
    content = form(grains(20))
    job = checked(raisin, content)
    read = job.reading
    BatchJob.objects.update(state="uploaded", reading={}, format="csv", rows=None)
    job.refresh_from_db()
    assert (work(job).state, job.rows, job.reading) == ("ready", 20, read)
    assert [path.name for path in folders.folder(job).iterdir()] == [f"source.{job.format}"]
    assert folders.source(job).read_bytes() == content


def test_who_lost_the_job_publishes_nothing(raisin: Endpoint) -> None:
    job = received(raisin, grains(20))
    BatchJob.objects.update(state="checking", worker="second")
    own = BatchJob.objects.get(pk=job.pk)
    with pytest.raises(LeaseLost):
        checking.check(own, Lease(own, "first", lambda: NOON))
    assert (BatchJob.objects.get(pk=job.pk).reading, folders.upload(job).exists()) == ({}, True)


def test_who_lost_the_job_moves_no_file_that_was_read(raisin: Endpoint) -> None:
    job = received(raisin, grains(20))
    own = BatchJob.objects.get(pk=job.pk)
    own.state = "checking"
    work(job)
    with pytest.raises(LeaseLost):
        checking.check(own, Lease(own, "first", lambda: NOON))
    assert [path.name for path in folders.folder(job).iterdir()] == ["source.csv"]


def test_the_preview_of_a_wide_file_is_cut(raisin: Endpoint) -> None:
    header, rest = grains(3).split(b"\n", 1)
    more = b"".join(b",c%d" % number for number in range(100))
    wide = header + more + b"\n" + rest.replace(b"\n", b"," + b"x" * 500 + b"," * 99 + b"\n")
    preview = report(checked(raisin, wide)).preview
    assert (len(preview.columns), len(preview.rows[0].cells)) == (60, 60)
    assert preview.rows[0].cells[7] == "x" * 200
    assert preview.rows[0].error == ""


def test_reports_can_be_kept_as_json() -> None:
    empty = (CheckReport.from_dict({}), ScoreReport.from_dict({}))
    assert (empty[0].rows, empty[1].rows) == (0, 0)
    for kind, found in zip((CheckReport, ScoreReport), empty, strict=True):
        assert kind.from_dict(found.to_dict()) == found

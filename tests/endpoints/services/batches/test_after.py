"""What people do with a batch: start it, cancel it, score it again, take it away, delete it; and what time does."""

from __future__ import annotations

import csv
import errno
import io
import os
from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from endpoints import tasks
from endpoints.errors import Conflict, Gone, InvalidRequest, NotAllowed
from endpoints.models import BatchJob, Endpoint, Event, PredictionRequest
from endpoints.services import leases
from endpoints.services.access import Caller
from endpoints.services.batches import (
    cancelling,
    deleting,
    downloads,
    expiry,
    folders,
    rerunning,
)
from tests.endpoints.services.batches.made import (
    SYSTEM,
    checked,
    grains,
    received,
    scored,
    started,
    work,
)
from tests.endpoints.services.decisions import NOON

pytestmark = pytest.mark.django_db
MUCH_LATER = NOON + timedelta(days=400)


def renamed(rows: int) -> bytes:
    header, rest = grains(rows).split(b"\n", 1)
    return header.replace(b"Perimeter", b"perimetre") + b"\n" + rest


def verbs() -> list[str]:
    events = Event.objects.filter(verb__endswith="_batch").order_by("id")
    return list(events.values_list("verb", flat=True))


class TestStart:
    def test_it_works(self, raisin: Endpoint, ana: User) -> None:
        job = started(checked(raisin, grains(10)), actor=Caller(user=ana))
        assert (job.state, job.attempt, job.heartbeat_at) == ("queued", 0, NOON)
        assert (verbs(), Event.objects.get(verb="start_batch").actor) == (
            ["create_batch", "start_batch"],
            ana,
        )
        assert work(job).state == "done"

    def test_a_late_bell_of_the_check_does_not_undo_it(self, raisin: Endpoint) -> None:
        job = started(checked(raisin, grains(10)))
        tasks.check_batch.call(job.pk)
        job.refresh_from_db()
        assert job.state == "queued"
        tasks.score_batch.call(job.pk)
        job.refresh_from_db()
        assert job.state == "done"

    def test_a_column_is_chosen_for_a_feature(self, raisin: Endpoint) -> None:
        job = started(checked(raisin, renamed(10)), mapping={"Perimeter": "perimetre"})
        assert (job.state, job.message, job.mapping["Area"]) == ("queued", "", "Area")
        assert (work(job).state, job.rows_bad) == ("done", 0)

    def test_a_feature_without_a_column_is_refused(self, raisin: Endpoint) -> None:
        with pytest.raises(InvalidRequest, match="Choose the column that holds Perimeter"):
            started(checked(raisin, renamed(10)))

    def test_a_feature_that_is_none_is_refused(self, raisin: Endpoint) -> None:
        job = checked(raisin, grains(10))
        with pytest.raises(InvalidRequest, match='v1 has no feature "colour". Its features: Area,'):
            started(job, mapping={"colour": "Area"})
        with pytest.raises(InvalidRequest, match='no feature "area"; did you mean "Area"'):
            started(job, mapping={"area": "Area"})

    def test_a_column_that_is_not_there_is_refused_by_its_name(self, raisin: Endpoint) -> None:
        with pytest.raises(InvalidRequest) as caught:
            started(checked(raisin, grains(10)), mapping={"Area": "Nope"})
        said = "No column is called “Nope”, which was named for “Area”."
        assert caught.value.message == said

    def test_a_column_for_two_features_is_told(self, raisin: Endpoint) -> None:
        mapping = {"Perimeter": "Area"}
        job = started(checked(raisin, grains(10)), mapping=mapping)
        [note] = job.check_report["notes"]
        assert note == "The column “Area” is read for several features: “Area”, “Perimeter”."

    def test_what_the_check_said_of_other_columns_goes(self, raisin: Endpoint) -> None:
        job = checked(raisin, grains(10), mapping={"Perimeter": "Area"})
        job.check_report["notes"].insert(0, "Read as Windows-1252.")
        job.save()
        job = started(job, mapping={"Perimeter": "Perimeter"})
        assert job.check_report["notes"] == ["Read as Windows-1252."]

    def test_a_column_of_labels_must_be_there(self, raisin: Endpoint) -> None:
        with pytest.raises(InvalidRequest, match="no column “Class”"):
            started(checked(raisin, grains(10)), label_column="Class")

    def test_it_is_started_once(self, raisin: Endpoint) -> None:
        job = checked(raisin, grains(10))
        slower = BatchJob.objects.get(pk=job.pk)
        started(job)
        with pytest.raises(Conflict):
            started(job)
        with pytest.raises(Conflict, match="Somebody else"):
            started(slower)
        assert verbs() == ["create_batch", "start_batch"]

    def test_who_may_not_predict_may_not_start(self, raisin: Endpoint, eve: User) -> None:
        Endpoint.objects.update(public_predictions=False)
        job = checked(raisin, grains(10))
        with pytest.raises(NotAllowed):
            started(BatchJob.objects.get(pk=job.pk), actor=Caller(user=eve))


class TestCancel:
    @pytest.mark.parametrize("state", ["uploaded", "queued", "ready", "needs_attention"])
    def test_what_nobody_works_at_ends_at_once(self, state: str, raisin: Endpoint) -> None:
        job = received(raisin, grains(10))
        BatchJob.objects.update(state=state)
        cancelling.cancel(job, actor=SYSTEM, now=NOON)
        assert (job.state, job.ended_at) == ("cancelled", NOON)
        assert verbs() == ["create_batch", "cancel_batch"]

    def test_what_a_worker_is_at_is_left_to_the_worker(self, raisin: Endpoint) -> None:
        job = checked(raisin, grains(10), starts_itself=True)
        leases.claim(BatchJob.objects.get(), worker="first", now=NOON)
        cancelling.cancel(job, actor=SYSTEM, now=NOON)
        assert (job.state, job.cancel_requested_at) == ("scoring", NOON)

    def test_what_has_ended_is_refused(self, raisin: Endpoint) -> None:
        job = scored(raisin, grains(10))
        with pytest.raises(Conflict, match="done already"):
            cancelling.cancel(job, actor=SYSTEM, now=NOON)

    def test_a_cancelled_check_does_not_come_to_rest(self, raisin: Endpoint) -> None:
        job = received(raisin, grains(10))
        BatchJob.objects.update(cancel_requested_at=NOON)
        assert work(job).state == "cancelled"


class TestRerun:
    def test_it_works(self, raisin: Endpoint, ana: User) -> None:
        job = scored(raisin, grains(30))
        second = raisin.versions.get(number=2)
        again = rerunning.rerun(job, version=second, actor=Caller(user=ana), now=NOON)
        assert (again.rerun_of, again.version, again.created_by) == (job, second, ana)
        assert (again.state, again.file_name, again.sha256) == (
            "uploaded",
            "grains.csv",
            job.sha256,
        )
        assert work(work(again)).state == "done"
        assert {row["version"] for row in rows_of(again)} == {"2"}
        assert [row["Area"] for row in rows_of(again)] == [row["Area"] for row in rows_of(job)]

    def test_the_file_is_there_once(self, raisin: Endpoint) -> None:
        job = scored(raisin, grains(30))
        again = rerunning.rerun(job, version=None, actor=SYSTEM, now=NOON)
        assert os.path.samefile(folders.source(job), folders.source(again))  # noqa: PTH121
        deleting.delete_files(job, actor=SYSTEM, now=NOON)
        assert work(work(again)).state == "done"

    def test_a_disk_without_second_names_gets_a_copy(
        self, raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def link(*_: object) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        job = scored(raisin, grains(30))
        monkeypatch.setattr(rerunning.os, "link", link)
        again = rerunning.rerun(job, version=None, actor=SYSTEM, now=NOON)
        assert folders.source(again).read_bytes() == folders.source(job).read_bytes()
        assert work(work(again)).state == "done"

    def test_a_failed_job_is_tried_again(self, raisin: Endpoint) -> None:
        job = checked(raisin, grains(30), starts_itself=True)
        BatchJob.objects.update(state="failed")
        job.refresh_from_db()
        again = rerunning.rerun(job, version=job.version, actor=SYSTEM, now=NOON)
        assert work(work(again)).state == "done"

    def test_a_file_that_is_not_kept_is_refused(self, raisin: Endpoint) -> None:
        job = scored(raisin, grains(30))
        deleting.delete_files(job, actor=SYSTEM, now=NOON)
        with pytest.raises(Conflict, match="upload it again"):
            rerunning.rerun(job, version=None, actor=SYSTEM, now=NOON)
        assert BatchJob.objects.count() == 1


def rows_of(job: BatchJob) -> list[dict[str, str]]:
    text = b"".join(downloads.results(job)).decode()
    return list(csv.DictReader(io.StringIO(text)))


class TestDownload:
    def test_it_works(self, raisin: Endpoint) -> None:
        job = scored(raisin, grains(30))
        assert len(rows_of(job)) == 30
        whole = folders.results(job).read_bytes()
        assert b"".join(downloads.results_as_is(job)) == whole
        assert downloads.size_as_is(job) == len(whole)

    def test_formulas_are_neutralised_unless_wished_otherwise(self, raisin: Endpoint) -> None:
        header, rest = grains(3).split(b"\n", 1)
        content = header + b",note\n" + rest.replace(b"\n", b",=1+1\n")
        job = scored(raisin, content)
        assert {row["note"] for row in rows_of(job)} == {"'=1+1"}
        assert b",=1+1," in b"".join(downloads.results_as_is(job))

    def test_so_is_a_header(self, raisin: Endpoint) -> None:
        header, rest = grains(3).split(b"\n", 1)
        job = scored(raisin, header + b",=1+1\n" + rest.replace(b"\n", b",x\n"))
        assert {row["'=1+1"] for row in rows_of(job)} == {"x"}

    def test_errors_are_neutralised(self, raisin: Endpoint) -> None:
        job = scored(raisin, grains(12) + b"=cmd(),1,1,1,1,1,1\n")
        assert b"'=cmd()" in b"".join(downloads.errors(job))

    def test_a_large_file_comes_in_blocks(
        self, raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        header, rest = grains(60).split(b"\n", 1)
        job = scored(raisin, header + b",note\n" + rest.replace(b"\n", b",=1+1\n"))
        monkeypatch.setattr(downloads, "BLOCK", 500)
        sizes = [len(block) for block in downloads.results(job)]
        assert len(sizes) > 5
        assert max(sizes) < 1_000

    def test_it_is_refused_before_the_end(self, raisin: Endpoint) -> None:
        job = checked(raisin, grains(30))
        for download in (downloads.results, downloads.results_as_is, downloads.errors):
            with pytest.raises(Conflict, match="is ready"):
                download(job)

    def test_what_is_deleted_meanwhile_is_read_to_its_end(self, raisin: Endpoint) -> None:
        job = scored(raisin, grains(30))
        whole, rows = folders.results(job).read_bytes(), downloads.results(job)
        deleting.delete_files(BatchJob.objects.get(pk=job.pk), actor=SYSTEM, now=NOON)
        assert b"".join(rows) == whole
        for download in (downloads.results, downloads.results_as_is, downloads.size_as_is):
            with pytest.raises(Gone, match="not there any more"):
                download(job)

    def test_a_template_can_be_scored(self, raisin: Endpoint) -> None:
        template = downloads.template(raisin.versions.get(number=1))
        assert template.count(b"\n") == 2
        assert scored(raisin, template).rows_bad == 0


class TestDelete:
    def test_it_works(self, raisin: Endpoint) -> None:
        job = scored(raisin, grains(30))
        assert PredictionRequest.objects.exists()
        deleting.delete_files(job, actor=SYSTEM, now=NOON)
        assert (job.state, folders.folder(job).exists()) == ("expired", False)
        assert job.check_report["preview"]["rows"] == []
        assert (job.report["rows"], verbs()[-1]) == (30, "delete_batch")
        assert PredictionRequest.objects.exists()
        with pytest.raises(Gone):
            downloads.results(job)

    def test_twice_is_as_once(self, raisin: Endpoint) -> None:
        job = scored(raisin, grains(30))
        for _ in range(2):
            deleting.delete_files(job, actor=SYSTEM, now=NOON)
        assert verbs().count("delete_batch") == 1

    def test_what_has_not_ended_is_refused(self, raisin: Endpoint) -> None:
        job = checked(raisin, grains(30))
        with pytest.raises(Conflict, match="cancel it first"):
            deleting.delete_files(job, actor=SYSTEM, now=NOON)
        assert folders.source(job).exists()

    def test_what_a_worker_found_in_this_moment_stays(self, raisin: Endpoint) -> None:
        job = checked(raisin, grains(10), starts_itself=True)
        stale = BatchJob.objects.get(pk=job.pk)
        work(job)
        assert deleting.close(stale)
        job.refresh_from_db()
        assert (job.state, job.report["rows"]) == ("expired", 10)


class TestExpiry:
    def test_it_works(self, raisin: Endpoint) -> None:
        job = scored(raisin, grains(30))
        assert expiry.expire(job.expires_at - timedelta(seconds=1)) == 0
        assert expiry.expire(job.expires_at) == 1
        job.refresh_from_db()
        assert (job.state, folders.folder(job).exists()) == ("expired", False)
        assert expiry.expire(MUCH_LATER) == 0

    @pytest.mark.parametrize("state", ["uploaded", "ready", "needs_attention", "queued"])
    def test_what_was_never_scored_goes_too(self, state: str, raisin: Endpoint) -> None:
        job = checked(raisin, grains(30))
        BatchJob.objects.update(state=state)
        assert expiry.expire(MUCH_LATER) == 1
        job.refresh_from_db()
        assert (job.state, folders.folder(job).exists()) == ("expired", False)

    def test_what_is_under_way_ends_first(self, raisin: Endpoint) -> None:
        job = checked(raisin, grains(30), starts_itself=True)
        leases.claim(BatchJob.objects.get(), worker="first", now=NOON)
        assert expiry.expire(MUCH_LATER) == 0
        job.refresh_from_db()
        assert (job.state, job.cancel_requested_at) == ("scoring", MUCH_LATER)
        assert folders.source(job).exists()

    def test_what_a_killed_upload_left_goes(self, raisin: Endpoint) -> None:
        job = received(raisin, grains(30))
        stray = folders.stage(job)
        (stray / "upload").write_bytes(grains(30))
        for age, is_there in ((0, True), (4_000, False)):
            moment = NOON.timestamp() - age
            os.utime(stray, (moment, moment))
            os.utime(folders.folder(job), (moment, moment))
            expiry.clear_strays(NOON)
            assert stray.exists() == is_there
        assert folders.upload(job).exists()

    def test_files_that_come_after_the_deletion_go(self, raisin: Endpoint) -> None:
        job = scored(raisin, grains(30))
        deleting.delete_files(job, actor=SYSTEM, now=NOON)
        folders.folder(job).mkdir()
        os.utime(folders.folder(job), (0, 0))
        expiry.clear_strays(NOON)
        assert not folders.folder(job).exists()

    def test_files_stay_where_another_database_is_asked(self, raisin: Endpoint) -> None:
        """A forgotten DATABASE_URL, or an older copy put back."""
        waiting, done = received(raisin, grains(20)), scored(raisin, grains(30))
        BatchJob.objects.all().delete()
        for job in (waiting, done):
            os.utime(folders.folder(job), (0, 0))
        expiry.clear_strays(NOON)
        assert folders.upload(waiting).read_bytes() == grains(20)
        assert folders.results(done).exists()

    def test_a_folder_that_another_worker_removes_does_no_harm(self, raisin: Endpoint) -> None:
        received(raisin, grains(10))
        (folders.home() / "gone").symlink_to("nowhere")
        expiry.clear_strays(NOON)
        (folders.home() / "gone").unlink()

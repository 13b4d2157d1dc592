"""The batch pages: a file goes in, each state of a job has its page, and nobody sees what is not theirs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.presenters import batches
from dashboard.presenters.silence import clock
from endpoints.models import BatchJob, Endpoint
from endpoints.services import uploads
from endpoints.services.batches import folders
from tests import cast
from tests.dashboard import batch_jobs
from tests.dashboard.batch_jobs import STATES, a_job, score_report
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, read, text_of
from tests.live import ROW

BATCH = "/batch/"
HEADER = ",".join(ROW).encode()
CONTENT = HEADER + b"\n" + ",".join(map(str, ROW.values())).encode() + b"\n"
HTMX = {"HX-Request": "true"}


def page_of(job: BatchJob) -> str:
    return f"{BATCH}{job.pk}/"


def send(
    client: Client, content: bytes = CONTENT, name: str = "grains.csv", **answers: str
) -> HttpResponse:
    file = SimpleUploadedFile(name, content, "text/csv")
    return client.post(BATCH, {"endpoint": "raisin", "version": "", **answers, "file": file})


def test_it_works(raisin: Endpoint, ana: User, browse: Browse) -> None:
    client = browse(ana)
    page = client.get(BATCH)
    assert_clean(page)
    said = text_of(page)
    assert "No files yet" in said
    assert "deleted after 30 days" in said
    assert "up to 1.1 GB" in said
    assert "It reads Area, MajorAxisLength," in said
    done = send(client)
    job = BatchJob.objects.get()
    assert done.headers["Location"] == page_of(job)
    assert (job.file_name, job.state, job.version.number) == ("grains.csv", "uploaded", 1)
    assert folders.upload(job).read_bytes() == CONTENT
    assert not list(uploads.home().iterdir())
    assert "grains.csv" in text_of(client.get(BATCH))


def test_another_version_is_chosen(raisin: Endpoint, ana: User, browse: Browse) -> None:
    send(browse(ana), version="2")
    assert BatchJob.objects.get().version.number == 2


def test_a_script_is_told_where_to_go(raisin: Endpoint, ana: User, browse: Browse) -> None:
    file = SimpleUploadedFile("grains.csv", CONTENT)
    done = browse(ana).post(BATCH, {"endpoint": "raisin", "file": file}, headers=HTMX)
    assert done.headers["HX-Redirect"] == page_of(BatchJob.objects.get())


@pytest.mark.parametrize(
    ("content", "name", "match"),
    [
        (b"", "grains.csv", "The selected file is empty."),
        (CONTENT, "grains.xlsx", "The selected file must be a CSV or a Parquet file."),
        (None, "", "Choose a file."),
    ],
)
def test_what_is_wrong_with_a_file_stands_beside_it(
    content: bytes | None, name: str, match: str, raisin: Endpoint, ana: User, browse: Browse
) -> None:
    client = browse(ana)
    page = (
        client.post(BATCH, {"endpoint": "raisin"})
        if content is None
        else send(client, content, name)
    )
    assert page.status_code == 422
    assert_clean(page)
    assert text_of(page).count(match) == 2  # above, and beside the file
    assert not BatchJob.objects.exists()
    assert not list(uploads.home().iterdir())


def test_too_large_a_file_is_refused_unread(
    raisin: Endpoint, ana: User, browse: Browse, settings: pytest.FixtureRequest
) -> None:
    settings.RAISIN_MAX_FILE_BYTES = 50_000_000  # type: ignore[attr-defined]
    page = browse(ana).generic(
        "POST",
        BATCH,
        content_type="multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(60_000_000),
    )
    assert page.status_code == 413
    assert_clean(page)
    assert "The selected file must be smaller than 50.0 MB." in text_of(page)


def test_the_form_needs_its_token(raisin: Endpoint, ana: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ana)
    assert send(client).status_code == 403
    token = read(client.get(BATCH)).fields["csrfmiddlewaretoken"]
    assert send(client, csrfmiddlewaretoken=token).status_code == 302


def test_who_may_not_ask_for_predictions_is_kept_out(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    client = browse(eve)
    assert client.get(BATCH).status_code == 403
    assert send(client).status_code == 403
    assert "/batch/" not in read(client.get("/")).links


def test_analysts_find_it_in_the_navigation(raisin: Endpoint, ana: User, browse: Browse) -> None:
    assert BATCH in read(browse(ana).get("/")).links


def test_choosing_an_endpoint_shows_its_versions(
    raisin: Endpoint, ana: User, browse: Browse
) -> None:
    other = cast.an_endpoint("zebra")
    cast.registered_version(other, lambda_=0.5)
    client = browse(ana)
    part = client.get(f"{BATCH}?part=model&endpoint=zebra", headers=HTMX).content.decode()
    assert "v1, testing" in part
    assert "v2" not in part
    assert "/endpoints/zebra/batch-template/" in part
    # Without scripts a button leads to the same.
    chosen = client.post(BATCH, {"endpoint": "zebra", "choose": "1"})
    assert chosen.headers["Location"] == f"{BATCH}?endpoint=zebra"
    assert (
        '<option value="zebra" selected>' in client.get(chosen.headers["Location"]).content.decode()
    )


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_its_page(state: str, raisin: Endpoint, ana: User, browse: Browse) -> None:
    job = a_job(raisin, ana, state)
    client = browse(ana)
    page = client.get(page_of(job))
    assert page.status_code == 200
    assert_clean(page)
    assert "grains.csv" in text_of(page)
    assert_clean(client.get(BATCH))


@pytest.mark.parametrize("state", ["uploaded", "checking", "queued", "scoring"])
def test_a_job_under_way_refreshes_itself(
    state: str, raisin: Endpoint, ana: User, browse: Browse
) -> None:
    job = a_job(raisin, ana, state)
    client = browse(ana)
    page = client.get(page_of(job))
    assert f'hx-get="{page_of(job)}?seen={state}"' in page.content.decode()
    assert "You may leave this page" in text_of(page)
    assert page_of(job) in read(page).links  # Refresh, without scripts
    part = client.get(f"{page_of(job)}?seen={state}", headers=HTMX)
    assert part.status_code == 200
    assert b"<html" not in part.content
    changed = client.get(f"{page_of(job)}?seen=another", headers=HTMX)
    assert changed.headers["HX-Refresh"] == "true"


@pytest.mark.parametrize("state", ["ready", "needs_attention", "done", "failed", "expired"])
def test_a_job_at_rest_does_not(state: str, raisin: Endpoint, ana: User, browse: Browse) -> None:
    page = browse(ana).get(page_of(a_job(raisin, ana, state)))
    assert "data-live" not in page.content.decode()


def test_it_tells_how_far_it_is(raisin: Endpoint, ana: User, browse: Browse) -> None:
    job = a_job(raisin, ana, "scoring")
    page = browse(ana).get(page_of(job))
    assert "6,240 of 12,480 rows, 50 %, about 20 s left" in text_of(page)
    said = page.content.decode()
    assert '<progress aria-label="Rows scored" max="12480" value="6240">' in said
    assert 'data-step="50"' in said


@pytest.mark.parametrize(
    ("state", "worker", "then"),
    [("scoring", "w", "goes on"), ("checking", "w", "goes on"), ("queued", "", "begins")],
)
def test_a_worker_that_is_heard_of_no_more_is_told(
    state: str, worker: str, then: str, raisin: Endpoint, ana: User, browse: Browse
) -> None:
    now = timezone.now()
    heard = now - timedelta(minutes=10)
    job = a_job(raisin, ana, state, worker=worker, heartbeat_at=heard)
    said = text_of(browse(ana).get(page_of(job)))
    assert f"No worker has been heard of since {clock(heard, now)}; it {then} when one is." in said
    assert "s left" not in said
    BatchJob.objects.update(heartbeat_at=now)
    assert "heard of" not in text_of(browse(ana).get(page_of(job)))


def test_a_file_that_no_worker_takes_says_so(raisin: Endpoint, ana: User, browse: Browse) -> None:
    early = timezone.now() - timedelta(minutes=2)
    job = a_job(raisin, ana, "uploaded", created_at=early)
    assert "None has come for more than a minute" in text_of(browse(ana).get(page_of(job)))


def test_the_first_rows_are_shown_with_their_predictions(
    raisin: Endpoint, ana: User, browse: Browse
) -> None:
    said = text_of(browse(ana).get(page_of(a_job(raisin, ana))))
    assert "7 columns matched" in said
    assert "2 extra, kept as they are" in said
    assert "Read as Windows-1252." in said
    assert "1 Besni 84.2 % grain-1 87524.00" in said
    assert f"3 {batch_jobs.WRONG} grain-1" in said
    assert "Score 12,480 rows" in said
    assert "a few seconds" in said


def test_it_is_told_what_was_scored(raisin: Endpoint, ana: User, browse: Browse) -> None:
    before = a_job(raisin, ana, "done")
    job = a_job(raisin, ana, "done", report=score_report().to_dict())
    BatchJob.objects.filter(pk=before.pk).update(id="0" * 32)
    said = text_of(browse(ana).get(page_of(job)))
    assert "Done with errors" in said
    assert "Rows scored 12,478 of 12,480 in the file" in said
    assert "Share of Besni 51.9 % +1.9 pp against the file before" in said
    assert "3 Area twelve is no number" in said
    assert "1 with text where a number is due 1 with too few or too many cells" in said
    assert "12,478 rows are in the request log" in said


def test_true_labels_tell_how_right_it_was(raisin: Endpoint, ana: User, browse: Browse) -> None:
    report = batch_jobs.labelled_report().to_dict()
    job = a_job(raisin, ana, "done", rows_bad=0, report=report, label_column="Class")
    page = browse(ana).get(page_of(job))
    assert_clean(page)
    said = text_of(page)
    assert "Accuracy 86.1 %" in said
    assert "is Besni 978 wrong 5,500 right" in said
    assert "True labels: 12,470 stored as feedback; 8 not stored" in said
    assert "Rows with an error" not in said


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"unknown_labels": 3}, "3 labels name no class and count nowhere."),
        ({"unknown_labels": 3, "metrics": None}, "None of the 3 labels in Class is a class"),
    ],
)
def test_labels_that_name_no_class_are_told(
    raisin: Endpoint, ana: User, browse: Browse, facts: dict[str, Any], words: str
) -> None:
    report = replace(batch_jobs.labelled_report(), **facts).to_dict()
    job = a_job(raisin, ana, "done", report=report, label_column="Class")
    assert words in text_of(browse(ana).get(page_of(job)))


def test_what_kept_a_ready_file_from_being_scored_is_told(
    raisin: Endpoint, ana: User, browse: Browse
) -> None:
    job = a_job(raisin, ana, "ready", message="“raisin” was paused before the file was scored.")
    assert "was paused before" in text_of(browse(ana).get(page_of(job)))


def test_a_failure_says_what_happened_and_what_is_kept(
    raisin: Endpoint, ana: User, browse: Browse
) -> None:
    said = text_of(browse(ana).get(page_of(a_job(raisin, ana, "failed"))))
    assert "3 workers died at it one after another" in said
    assert "The file is kept until" in said
    assert "Try again" in said


def test_a_file_that_cannot_be_read_is_to_be_sent_again(
    raisin: Endpoint, ana: User, browse: Browse
) -> None:
    said_by_worker = "The file is an HTML page, not a table."
    job = a_job(
        raisin, ana, "failed", message=said_by_worker, check_report={}, reading={}, rows=None
    )
    said = text_of(browse(ana).get(page_of(job)))
    assert said_by_worker in said
    assert "upload it again" in said
    assert "Try again" not in said


def test_an_expired_file_leaves_its_totals(raisin: Endpoint, ana: User, browse: Browse) -> None:
    page = browse(ana).get(page_of(a_job(raisin, ana, "expired")))
    said = text_of(page)
    assert "Its files are deleted." in said
    assert "Rows scored 12,478" in said
    assert not [link for link in read(page).links if "results" in link or "errors/" in link]


@pytest.mark.parametrize("where", ["", "cancel/", "delete/", "results/", "errors/"])
def test_the_job_of_somebody_else_is_not_there(
    where: str, raisin: Endpoint, ana: User, dev: User, browse: Browse
) -> None:
    job = a_job(raisin, cast.person("bob", cast.DEVELOPER), "done")
    assert browse(dev).get(f"{page_of(job)}{where}").status_code == 404
    assert "grains.csv" not in text_of(browse(dev).get(BATCH))


def test_who_sees_inputs_sees_the_files_of_others(
    raisin: Endpoint, ana: User, dev: User, browse: Browse
) -> None:
    job = a_job(raisin, dev, "done")
    assert "by dev" in text_of(browse(ana).get(BATCH))
    assert browse(ana).get(page_of(job)).status_code == 200


def test_markup_in_a_file_stays_text(raisin: Endpoint, ana: User, browse: Browse) -> None:
    evil = "<script>alert(1)</script>"
    rows = (batch_jobs.PreviewRow((evil,), 0.5, evil, ""),)
    report = batch_jobs.check_report(preview=batch_jobs.Preview((evil,), rows), extra=(evil,))
    job = a_job(raisin, ana, file_name=f"{evil}.csv", check_report=report.to_dict())
    for address in (BATCH, page_of(job)):
        assert "<script>alert" not in browse(ana).get(address).content.decode()


def test_the_list_asks_as_often_for_many_jobs_as_for_one(
    raisin: Endpoint, ana: User, browse: Browse
) -> None:
    client, counts = browse(ana), []
    for more in (1, 19):
        for _ in range(more):
            a_job(raisin, ana, "done")
        with CaptureQueriesContext(connection) as asked:
            client.get(BATCH)
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 15


def test_the_folder_of_uploads_is_under_the_home(
    raisin: Endpoint, ana: User, browse: Browse
) -> None:
    send(browse(ana))
    kept = folders.upload(BatchJob.objects.get())
    assert kept.is_relative_to(Path(settings.RAISIN_HOME))


@pytest.mark.parametrize("state", ["ready", "scoring", "done"])
def test_the_page_of_a_job_asks_the_database_few_times(
    state: str, raisin: Endpoint, ana: User, browse: Browse
) -> None:
    client, job = browse(ana), a_job(raisin, ana, state)
    with CaptureQueriesContext(connection) as asked:
        client.get(page_of(job))
    assert len(asked) <= 15, [query["sql"][:90] for query in asked]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "a few seconds"),
        (12, "about 10\xa0s"),
        (56, "about 55\xa0s"),
        (58, "about 1\xa0min"),
        (3_000, "about 50\xa0min"),
        (7_300, "about 2\xa0h"),
    ],
)
def test_a_length_of_time_is_told_as_well_as_it_is_known(seconds: float, words: str) -> None:
    assert batches.length(seconds) == words


def test_the_time_is_estimated_from_earlier_files() -> None:
    assert batches.estimate(1_000_000, 7, [(50_000, 10.0), (50_000, 10.0)]) == "about 3\xa0min"
    assert batches.estimate(1_000_000, 7, []) == "about 10\xa0s"


def test_per_cent_never_says_all_too_early() -> None:
    progress = batches.Progress(999_999, 1_000_000)
    assert (progress.percent, progress.step) == (99, 90)

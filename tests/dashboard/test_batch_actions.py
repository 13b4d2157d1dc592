"""What one does with a file: choose its columns and start it, cancel it, delete its files, score it once more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from dashboard.submissions import ASKED_BEFORE
from endpoints.models import BatchJob, Endpoint
from endpoints.services import working
from endpoints.services.batches import checking, folders, scoring, starting
from tests.dashboard import batch_jobs
from tests.dashboard.batch_jobs import a_job
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, read, text_of
from tests.dashboard.test_batches import BATCH, page_of, send
from tests.live import ROW

CELLS = [str(value) for value in ROW.values()]
ROWS = [
    ["a", *CELLS, "Besni"],
    ["b", "twelve", *CELLS[1:], "Besni"],
    ['=HYPERLINK("x")', *CELLS, "Kecimen"],
]


def table(*names: str) -> bytes:
    quoted = [[f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row] for row in ROWS]
    return "\n".join(",".join(row) for row in [names, *quoted]).encode() + b"\n"


FILE = table("id", *ROW, "Class")
RENAMED = table("id", "area_px", *list(ROW)[1:], "Class")


def work() -> None:
    """Do what waits, as a worker does."""
    for job in BatchJob.objects.filter(state="uploaded"):
        working.at(BatchJob, job.pk, checking.check)
    for job in BatchJob.objects.filter(state="queued"):
        working.at(BatchJob, job.pk, scoring.score)


def body(response: HttpResponse) -> str:
    return b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]


@pytest.fixture
def client(ana: User, browse: Browse) -> Iterator[Client]:
    return browse(ana)


def uploaded(client: Client, content: bytes) -> BatchJob:
    send(client, content)
    work()
    return BatchJob.objects.get()


def test_it_works(raisin: Endpoint, client: Client) -> None:
    job = uploaded(client, FILE)
    page = client.get(page_of(job))
    assert "3 rows" in text_of(page)
    assert '<option value="Class" selected>' in page.content.decode()  # what the model tells
    answers = {"label_column": "Class", "log_rows": "on"}
    assert client.post(page_of(job), answers).headers["Location"] == page_of(job)
    job.refresh_from_db()
    assert (job.state, job.label_column, job.log_rows) == ("queued", "Class", True)
    work()
    done = client.get(page_of(job))
    assert_clean(done)
    assert "Rows scored 2 of 3 in the file" in text_of(done)
    assert "Of the 2 scored rows whose label in Class is a class of the model." in text_of(done)


@pytest.fixture
def done(raisin: Endpoint, client: Client) -> BatchJob:
    job = uploaded(client, FILE)
    client.post(page_of(job), {"log_rows": "on"})
    work()
    job.refresh_from_db()
    assert job.state == "done"
    return job


def test_columns_are_chosen_by_hand(raisin: Endpoint, client: Client) -> None:
    job = uploaded(client, RENAMED)
    page = client.get(page_of(job))
    assert_clean(page)
    assert "1 column is not found" in text_of(page)
    assert '<option value="area_px" selected>' in page.content.decode()  # the nearest name
    wrong = client.post(page_of(job), {"feature_0": ""})
    assert wrong.status_code == 422
    assert "Choose the column that holds Area." in text_of(wrong)
    assert_clean(wrong)
    client.post(page_of(job), {"feature_0": "area_px"})
    work()
    job.refresh_from_db()
    assert (job.state, job.mapping["Area"], job.rows_bad) == ("done", "area_px", 1)


def test_one_column_does_not_hold_two_features(raisin: Endpoint, ana: User, client: Client) -> None:
    job = a_job(raisin, ana, "needs_attention")
    page = client.post(page_of(job), {"feature_0": "area_px", "feature_1": "area_px"})
    assert page.status_code == 422
    assert "area_px is chosen for Area already." in text_of(page)


def test_a_column_that_is_not_there_is_refused(raisin: Endpoint, ana: User, client: Client) -> None:
    page = client.post(page_of(a_job(raisin, ana)), {"label_column": "nothing"})
    assert page.status_code == 422
    assert_clean(page)


def test_what_the_start_refuses_is_said_on_the_page(
    raisin: Endpoint, ana: User, client: Client
) -> None:
    raisin.paused_at = raisin.created_at
    raisin.save()
    page = client.post(page_of(a_job(raisin, ana)), {"log_rows": "on"})
    assert page.status_code == 503
    assert "It was not started" in text_of(page)
    assert BatchJob.objects.get().state == "ready"


@pytest.mark.parametrize("label", ["", "Class", "id"])
def test_a_file_of_which_rows_are_scored_goes_on_with_their_choices(
    raisin: Endpoint, ana: User, client: Client, label: str
) -> None:
    facts = {"cursor": {"row": 6_240}, "rows_done": 6_240, "label_column": label}
    mapping = {name: name for name in ROW} | {"Area": "length", "MajorAxisLength": "area_px"}
    report = batch_jobs.needing_report().to_dict()
    columns = {"format": "csv", "columns": [*batch_jobs.COLUMNS[3:], "id", "area_px", "length"]}
    job = a_job(
        raisin, ana, check_report=report, mapping=mapping, reading=columns, log_rows=False, **facts
    )
    page = client.get(page_of(job))
    assert_clean(page)
    assert "up to row 6,240: it goes on with them" in text_of(page)
    assert "disabled" in page.content.decode()
    assert '<option value="length" selected>' in page.content.decode()
    client.post(page_of(job), {"feature_0": "area_px", "label_column": "Class", "log_rows": "on"})
    job.refresh_from_db()
    assert (job.state, job.mapping, job.log_rows) == ("queued", mapping, False)
    assert job.label_column == label


def test_a_job_that_runs_is_not_started_again(raisin: Endpoint, ana: User, client: Client) -> None:
    job = a_job(raisin, ana, "scoring")
    client.post(page_of(job), {"log_rows": "on"})
    assert "not waiting for your answers" in text_of(client.get(page_of(job)))
    job.refresh_from_db()
    assert job.state == "scoring"


def test_true_labels_are_kept_by_those_who_may(
    raisin: Endpoint, ana: User, dev: User, browse: Browse
) -> None:
    Endpoint.objects.update(public_predictions=False)
    for user, may in ((ana, False), (dev, True)):
        page = browse(user).get(page_of(a_job(raisin, user)))
        assert ("Store the true labels" in text_of(page)) == may


def test_the_results_are_downloaded(done: BatchJob, client: Client) -> None:
    answer = client.get(f"{page_of(done)}results/")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="grains-v1.csv"'
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    header, *rows = body(answer).splitlines()
    assert header.endswith("Class,probability,label,version,error")
    assert [row.split(",")[0].strip('"')[:2] for row in rows] == ["a", "b", "'="]
    as_it_is = body(client.get(f"{page_of(done)}results/?as_is=1")).splitlines()
    assert as_it_is[3].startswith('"=HYPER')


def test_the_errors_are_downloaded(done: BatchJob, client: Client) -> None:
    answer = client.get(f"{page_of(done)}errors/")
    assert 'filename="grains-v1-errors.csv"' in answer.headers["Content-Disposition"]
    assert body(answer).splitlines()[1].startswith("2,Area,twelve,")


def test_results_that_are_not_there_are_not_given_out(
    raisin: Endpoint, ana: User, client: Client
) -> None:
    for state, status in (("scoring", 409), ("expired", 410)):
        answer = client.get(f"{page_of(a_job(raisin, ana, state))}results/")
        assert answer.status_code == status
        assert_clean(answer)


@pytest.mark.parametrize("name", ["../../etc/passwd.csv", 'a";x="b.csv', "Größe.csv", ".csv"])
def test_the_name_of_a_download_is_harmless(
    name: str, raisin: Endpoint, client: Client, done: BatchJob
) -> None:
    BatchJob.objects.update(file_name=name)
    said = client.get(f"{page_of(done)}results/").headers["Content-Disposition"]
    assert said.startswith("attachment; filename")
    assert "/" not in said
    assert "\n" not in said


def test_the_template_has_the_columns_of_the_model(raisin: Endpoint, client: Client) -> None:
    answer = client.get("/endpoints/raisin/batch-template/")
    header, row = answer.content.decode().splitlines()
    assert header == ",".join(ROW)
    assert len(row.split(",")) == len(ROW)
    assert 'filename="raisin-v1-template.csv"' in answer.headers["Content-Disposition"]
    other = client.get("/endpoints/raisin/batch-template/?version=2")
    assert 'filename="raisin-v2-template.csv"' in other.headers["Content-Disposition"]
    sent = send(client, answer.content)
    assert sent.status_code == 302


def test_it_is_cancelled_after_a_question(raisin: Endpoint, ana: User, client: Client) -> None:
    job = a_job(raisin, ana, "queued")
    asked = client.get(f"{page_of(job)}cancel/")
    assert_clean(asked)
    assert BatchJob.objects.get().state == "queued"
    client.post(f"{page_of(job)}cancel/")
    assert BatchJob.objects.get().state == "cancelled"
    said = text_of(client.get(page_of(job)))
    assert "It was cancelled" in said
    client.post(f"{page_of(job)}cancel/")
    assert "nothing to cancel" in text_of(client.get(page_of(job)))


def test_its_files_are_deleted_after_a_question(done: BatchJob, client: Client) -> None:
    assert_clean(client.get(f"{page_of(done)}delete/"))
    assert folders.results(done).exists()
    client.post(f"{page_of(done)}delete/")
    assert not folders.folder(done).exists()
    assert "Its files are deleted." in text_of(client.get(page_of(done)))


def test_another_version_scores_the_same_file(done: BatchJob, client: Client) -> None:
    page = client.get(page_of(done))
    assert '<option value="2" selected>v2, staging' in page.content.decode()
    answer = client.post(f"{page_of(done)}rerun/", {"version": "2"})
    again = BatchJob.objects.exclude(pk=done.pk).get()
    assert answer.headers["Location"] == page_of(again)
    work()
    again.refresh_from_db()
    assert (again.state, again.version.number, again.rerun_of) == ("done", 2, done)
    assert page_of(done) in read(client.get(page_of(again))).links


def test_pressed_twice_it_is_scored_again_once(done: BatchJob, client: Client) -> None:
    address, answers = f"{page_of(done)}rerun/", {"version": "2", "csrfmiddlewaretoken": "a" * 64}
    first, second = (client.post(address, answers, follow=True) for _ in range(2))
    assert first.redirect_chain == second.redirect_chain
    assert "v2 has the same file now." in text_of(first)
    assert ASKED_BEFORE in text_of(second)
    assert "has the same file now" not in text_of(second)
    assert BatchJob.objects.count() == 2


def test_uploaded_twice_by_one_form_it_is_one_job(raisin: Endpoint, client: Client) -> None:
    token = {"csrfmiddlewaretoken": "a" * 64}
    first = send(client, FILE, **token).headers["Location"]
    assert ASKED_BEFORE not in text_of(client.get(first))
    assert send(client, FILE, **token).headers["Location"] == first
    assert ASKED_BEFORE in text_of(client.get(first))
    assert BatchJob.objects.count() == 1


def test_a_start_that_another_press_was_faster_with_leads_to_the_job(
    raisin: Endpoint, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(client, FILE)
    work()
    job = BatchJob.objects.get()
    queue_from = starting.queue_from

    def faster(*known: Any, **facts: Any) -> bool:
        queue_from(*known, **facts)
        return queue_from(*known, **facts)

    monkeypatch.setattr(starting, "queue_from", faster)
    monkeypatch.setattr(starting.transaction, "atomic", nullcontext)
    answer = client.post(page_of(job), {"label_column": ""})
    assert (answer.status_code, answer.headers["Location"]) == (302, page_of(job))


def test_a_version_that_is_not_there_scores_nothing(done: BatchJob, client: Client) -> None:
    page = client.post(f"{page_of(done)}rerun/", {"version": "99"})
    assert page.status_code == 422
    assert "Choose a version." in text_of(page)
    assert BatchJob.objects.count() == 1


@pytest.mark.parametrize("what", ["rerun/", "cancel/", "delete/", ""])
def test_nothing_is_done_to_the_job_of_somebody_else(
    what: str, raisin: Endpoint, ana: User, dev: User, browse: Browse
) -> None:
    job = a_job(raisin, ana, "ready")
    assert browse(dev).post(f"{page_of(job)}{what}", {"version": "2"}).status_code == 404
    assert BatchJob.objects.get().state == "ready"


def test_a_file_that_is_no_table_says_so(raisin: Endpoint, client: Client) -> None:
    file = SimpleUploadedFile("grains.csv", b"<!DOCTYPE html><html><body>no</body></html>")
    client.post(BATCH, {"endpoint": "raisin", "file": file})
    work()
    job = BatchJob.objects.get()
    page = client.get(page_of(job))
    assert_clean(page)
    assert job.state == "failed"
    assert "The file cannot be used" in text_of(page)
    assert job.message in text_of(page)


def test_many_missing_columns_are_counted_and_said_once(raisin: Endpoint, client: Client) -> None:
    job = uploaded(client, b"id,colour\n1,red\n")
    page = client.get(page_of(job))
    assert "and 2 more like these" in text_of(page)
    assert text_of(page).count("No column is called “Area”.") == 1

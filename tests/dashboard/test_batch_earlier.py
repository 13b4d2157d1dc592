"""A file from before: chosen among those that are kept of an endpoint, and scored by any of its versions."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.submissions import ASKED_BEFORE
from endpoints.models import BatchJob, Endpoint
from tests import cast
from tests.dashboard.batch_jobs import a_job
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, read, text_of
from tests.dashboard.test_batch_actions import FILE, uploaded, work

EARLIER = "/batch/earlier/"


@pytest.fixture
def client(ana: User, browse: Browse) -> Client:
    return browse(ana)


def test_it_works(raisin: Endpoint, client: Client) -> None:
    job = uploaded(client, FILE)
    assert f"{EARLIER}?endpoint=raisin" in read(client.get("/batch/")).links
    page = client.get(f"{EARLIER}?endpoint=raisin")
    assert_clean(page)
    assert "grains.csv 3 rows" in text_of(page)
    answers = {"endpoint": "raisin", "job": job.pk, "version": "2"}
    response = client.post(EARLIER, answers, follow=True)
    again = BatchJob.objects.exclude(pk=job.pk).get()
    assert (again.rerun_of, again.version.number, again.sha256) == (job, 2, job.sha256)
    assert response.redirect_chain[-1][0] == f"/batch/{again.pk}/"
    assert "v2 has the same file now." in text_of(response)
    work()
    work()
    again.refresh_from_db()
    assert again.state == "done"


def test_without_a_version_production_scores_it(raisin: Endpoint, client: Client) -> None:
    job = uploaded(client, FILE)
    client.post(EARLIER, {"endpoint": "raisin", "job": job.pk, "version": ""})
    assert BatchJob.objects.exclude(pk=job.pk).get().version.number == 1


def test_a_button_pressed_twice_scores_it_once(raisin: Endpoint, client: Client) -> None:
    job = uploaded(client, FILE)
    answers = {"endpoint": "raisin", "job": job.pk, "csrfmiddlewaretoken": "of this page"}
    first, second = (client.post(EARLIER, answers, follow=True) for _ in range(2))
    assert first.redirect_chain == second.redirect_chain
    assert "v1 has the same file now." in text_of(first)
    assert ASKED_BEFORE in text_of(second)
    assert "has the same file now" not in text_of(second)
    assert BatchJob.objects.count() == 2


def test_each_file_stands_there_once_and_only_while_it_is_kept(
    raisin: Endpoint, ana: User, client: Client
) -> None:
    a_job(raisin, ana, "done", file_name="first.csv")
    a_job(raisin, ana, "done", file_name="first.csv")
    a_job(raisin, ana, "expired", file_name="gone.csv", sha256="b" * 64)
    a_job(raisin, ana, "uploaded", file_name="unread.csv", sha256="c" * 64)
    said = text_of(client.get(EARLIER))
    assert said.count("first.csv") == 1
    assert "gone.csv" not in said
    assert "unread.csv" not in said


def test_the_endpoint_that_was_asked_last_comes_first(
    raisin: Endpoint, ana: User, client: Client
) -> None:
    cast.an_endpoint("aaa")
    a_job(raisin, ana, "done")
    page = client.get(EARLIER)
    assert "Files of Raisin" in text_of(page)
    assert '<option value="raisin" selected>' in page.content.decode()
    other = client.get(f"{EARLIER}?endpoint=aaa")
    assert "there is none" in text_of(other)
    assert_clean(other)


def test_it_refuses_what_others_uploaded(
    raisin: Endpoint, dana: User, dev: User, browse: Browse
) -> None:
    job = a_job(raisin, dana, "done")
    response = browse(dev).post(EARLIER, {"endpoint": "raisin", "job": job.pk})
    assert response.status_code == 404
    assert job.file_name not in text_of(response)
    assert BatchJob.objects.count() == 1


def test_it_refuses_no_file_and_one_that_is_gone(
    raisin: Endpoint, ana: User, client: Client
) -> None:
    job = a_job(raisin, ana, "done")  # a row without a file
    nothing = client.post(EARLIER, {"endpoint": "raisin"})
    assert nothing.status_code == 422
    assert "Choose a file." in text_of(nothing)
    assert_clean(nothing)
    gone = client.post(EARLIER, {"endpoint": "raisin", "job": job.pk})
    assert gone.status_code == 409
    assert "is not kept any more" in text_of(gone)
    assert_clean(gone)


def test_nobody_without_files_is_sent_there(raisin: Endpoint, client: Client) -> None:
    assert EARLIER not in client.get("/batch/").content.decode()
    page = client.get(EARLIER)
    assert "No file is kept" in text_of(page)
    assert_clean(page)

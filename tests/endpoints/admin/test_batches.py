"""Batches in the admin: only read, cancelled, cleared away; rows are not shown."""

from __future__ import annotations

import pytest
from django.test import Client

from endpoints.models import BatchJob, Endpoint
from endpoints.services.batches import folders
from tests import cast
from tests.endpoints.admin.site import run_action, staff, url
from tests.endpoints.services.batches.made import checked, grains, received, scored

pytestmark = pytest.mark.django_db
VIEW = ("view_batchjob", "view_endpoint", "try_endpoint")


def state(job: BatchJob) -> str:
    job.refresh_from_db()
    return job.state


def test_it_works(raisin: Endpoint, admin_client: Client) -> None:
    job = checked(raisin, grains(10))
    assert "grains.csv" in admin_client.get(url("batchjob")).text
    page = admin_client.get(url("batchjob", "change", job.pk))
    assert (page.status_code, "check_report" in page.text) == (200, False)


def test_nobody_edits_one(raisin: Endpoint, admin_client: Client) -> None:
    job = received(raisin, grains(10))
    page = url("batchjob", "change", job.pk)
    assert admin_client.post(page, {"state": "done"}).status_code == 403
    assert admin_client.get(url("batchjob", "add")).status_code == 403
    assert state(job) == "uploaded"


def test_one_is_cancelled(raisin: Endpoint, admin_client: Client) -> None:
    job, done = received(raisin, grains(10)), scored(raisin, grains(10))
    run_action(admin_client, "batchjob", "cancel", [job.pk, done.pk])
    assert (state(job), state(done)) == ("cancelled", "done")


def test_its_files_are_deleted(raisin: Endpoint, admin_client: Client) -> None:
    job = scored(raisin, grains(10))
    run_action(admin_client, "batchjob", "delete_files", [job.pk])
    assert (state(job), folders.folder(job).exists()) == ("expired", False)


def test_a_viewer_sees_no_batch_of_others(raisin: Endpoint) -> None:
    received(raisin, grains(10))
    assert "grains.csv" not in staff("sam", *VIEW).get(url("batchjob")).text
    assert "grains.csv" in staff("tom", *VIEW, "view_inputs").get(url("batchjob")).text


def test_who_may_not_predict_has_no_actions(raisin: Endpoint) -> None:
    cast.an_endpoint("other")
    page = staff("sam", "view_batchjob", "view_endpoint").get(url("batchjob")).text
    assert "Delete files now" not in page

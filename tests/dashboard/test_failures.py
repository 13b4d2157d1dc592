"""The home page names trainings and files that failed in the last days, to who wanted them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from endpoints.models import BatchJob, Endpoint, Run
from tests.dashboard.batch_jobs import a_job
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, read, text_of
from tests.dashboard.stored import a_run

REASON = "line 7, column Area: “x” is no number."


def a_failed_run(by: User | None, **facts: Any) -> Run:
    about = {"state": "failed", "message": REASON, "ended_at": timezone.now(), "created_by": by}
    return a_run(None, **about | facts)


def test_it_works(raisin: Endpoint, dana: User, browse: Browse) -> None:
    run = a_failed_run(dana)
    job = a_job(raisin, dana, "failed")
    unread = a_job(raisin, dana, "failed", check_report={}, message="The file is no text.")
    response = browse(dana).get("/")
    said = text_of(response)
    assert "The training “Steep” failed: line 7, column Area: “x” is no number. " in said
    assert "The file “grains.csv” could not be scored: 3 workers died at it" in said
    assert "The file “grains.csv” cannot be used: The file is no text." in said
    links = read(response).links
    assert f"/runs/{run.pk}/" in links
    assert {f"/batch/{job.pk}/", f"/batch/{unread.pk}/"} <= set(links)
    assert_clean(response)


def test_a_training_of_a_command_is_of_interest_to_who_may_train(
    raisin: Endpoint, dana: User, eve: User, browse: Browse
) -> None:
    a_failed_run(None)
    assert "“Steep” failed" in text_of(browse(dana).get("/"))
    assert "“Steep” failed" not in text_of(browse(eve).get("/"))


def test_what_others_started_is_their_business(
    raisin: Endpoint, dana: User, ana: User, browse: Browse
) -> None:
    a_failed_run(ana)
    a_job(raisin, dana, "failed")
    assert "Needs attention" not in text_of(browse(ana).get("/"))
    BatchJob.objects.update(state="expired")
    assert "Needs attention" not in text_of(browse(dana).get("/"))


@pytest.mark.parametrize(
    "facts",
    [
        {"ended_at": timezone.now() - timedelta(days=4)},
        {"archived_at": timezone.now()},
        {"uploaded": True},
        {"state": "cancelled"},
    ],
)
def test_an_old_or_settled_failure_waits_for_nobody(
    facts: dict[str, Any], raisin: Endpoint, dana: User, browse: Browse
) -> None:
    a_failed_run(dana, **facts)
    assert "Needs attention" not in text_of(browse(dana).get("/"))


def test_a_file_that_was_tried_again_waits_for_nobody(
    raisin: Endpoint, dana: User, browse: Browse
) -> None:
    failed = a_job(raisin, dana, "failed")
    a_job(raisin, dana, "scoring", rerun_of=failed)
    assert "Needs attention" not in text_of(browse(dana).get("/"))


def test_the_newest_are_shown_and_more_are_linked(
    raisin: Endpoint, dana: User, browse: Browse
) -> None:
    client = browse(dana)
    client.get("/")
    counts = []
    for hours in (range(1, 3), range(3, 30)):
        for hour in hours:
            ended = timezone.now() - timedelta(hours=hour)
            a_failed_run(dana, name=f"Try {hour}", ended_at=ended)
        with CaptureQueriesContext(connection) as asked:
            response = client.get("/")
        counts.append(len(asked))
    said = text_of(response)
    assert all(f"“Try {hour}” failed" in said for hour in range(1, 6))
    assert "“Try 6” failed" not in said
    assert "More than these failed" in said
    assert counts[0] == counts[1]

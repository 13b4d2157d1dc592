"""The page of a run before it has a model: waiting, training, cancelled, failed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard.presenters.silence import clock
from dashboard.submissions import ASKED_BEFORE
from endpoints.models import Metric, Run
from tests import cast
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, read, text_of
from tests.dashboard.stored import a_dataset, a_run

HTMX = {"HX-Request": "true"}
BAD_CELL = {
    "code": "wrong_type",
    "message": "expected a number, got “many”",
    "row": 3,
    "column": "Area",
    "value": "many",
}


@pytest.fixture
def client_of_dana(dana: User, browse: Browse) -> Client:
    return browse(dana)


def training_run(*, steps: int = 200, every: int = 1, **facts: object) -> Run:
    """Return a run under way that has told of some steps."""
    run = a_run(a_dataset(), state="running", **{"worker": "w", "iterations": steps} | facts)
    told = [*range(every, steps, every), steps]
    Metric.objects.bulk_create(
        Metric(run=run, key=key, step=step, value=start / step)
        for key, start in (("epoch_train_loss", 0.5), ("epoch_validation_loss", 0.6))
        for step in told
    )
    return run


def page_of(client: Client, run: Run) -> str:
    response = client.get(f"/runs/{run.pk}/")
    assert_clean(response)
    return text_of(response)


def test_it_works(client_of_dana: Client) -> None:
    run = training_run(started_at=timezone.now() - timedelta(seconds=20))
    said = page_of(client_of_dana, run)
    assert "Training, epoch 200 of 3,000." in said
    assert "0.0025" in said  # 0.5 / 200
    assert "0.0030" in said
    assert "left" in said
    assert "Log loss so far" in said
    assert "You may leave this page" in said


def test_a_run_that_waits_says_so(client_of_dana: Client) -> None:
    run = a_run(a_dataset())
    said = page_of(client_of_dana, run)
    assert "◔ Queued" in said
    assert "Waiting for a worker." in said
    assert "queued just now" in said
    assert "Epochs 3000" in said


def test_a_run_that_waits_long_asks_for_a_worker(client_of_dana: Client) -> None:
    run = a_run(a_dataset(), started_at=timezone.now() - timedelta(minutes=2))
    assert "manage.py work" in page_of(client_of_dana, run)


def test_a_worker_that_is_heard_of_no_more_is_told(client_of_dana: Client) -> None:
    """The time that is left is nobody's guess then."""
    now = timezone.now()
    early, heard = now - timedelta(hours=2), now - timedelta(minutes=10)
    run = training_run(started_at=early, heartbeat_at=heard)
    said = page_of(client_of_dana, run)
    assert f"No worker has been heard of since {clock(heard, now)}; it goes on when one is." in said
    assert "Training, epoch" not in said
    assert "left" not in said
    Run.objects.update(heartbeat_at=now)
    assert "heard of" not in page_of(client_of_dana, run)
    Run.objects.update(state="queued", worker="", heartbeat_at=heard)
    assert f"heard of since {clock(heard, now)}; it begins when one is." in page_of(
        client_of_dana, run
    )


def test_a_command_that_is_heard_of_no_more_does_not_go_on(client_of_dana: Client) -> None:
    early = timezone.now() - timedelta(hours=2)
    run = a_run(None, state="running", worker="host:1:x", started_at=early, heartbeat_at=early)
    said = page_of(client_of_dana, run)
    assert "Nothing has been heard of its process since" in said
    assert "goes on" not in said


def test_a_moment_of_another_day_has_its_date() -> None:
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert clock(now - timedelta(hours=1), now) == "11:00"
    assert clock(now - timedelta(days=1), now) == "21 Nov 2026, 12:00"


def test_a_run_that_has_told_nothing_yet_begins(client_of_dana: Client) -> None:
    run = a_run(a_dataset(), state="running", worker="w")
    assert "The worker reads the data and begins." in page_of(client_of_dana, run)


def test_trees_that_grow_tell_nothing_meanwhile(client_of_dana: Client) -> None:
    run = a_run(a_dataset(), state="running", worker="w", solver="random_forest", spec={})
    assert "Trees tell nothing until all have grown." in page_of(client_of_dana, run)


def test_a_run_of_a_command_cannot_be_cancelled_here(client_of_dana: Client) -> None:
    run = a_run(None, state="running", spec={})
    assert "in a process of its own" in page_of(client_of_dana, run)
    assert f"/runs/{run.pk}/cancel/" not in read(client_of_dana.get(f"/runs/{run.pk}/")).links


def test_the_live_part_comes_alone_and_at_the_end_the_whole_page(client_of_dana: Client) -> None:
    run = training_run()
    part = client_of_dana.get(f"/runs/{run.pk}/", headers=HTMX)
    assert "<html" not in part.content.decode()
    assert "epoch 200" in text_of(part)
    Run.objects.filter(pk=run.pk).update(state="failed")
    ended = client_of_dana.get(f"/runs/{run.pk}/", headers=HTMX)
    assert ended.headers["HX-Refresh"] == "true"


@pytest.mark.parametrize("every", [1, 37])
def test_a_long_curve_is_thinned_and_ends_where_the_training_is(
    every: int, client_of_dana: Client
) -> None:
    run = training_run(steps=2900, every=every)
    chart = client_of_dana.get(f"/runs/{run.pk}/").context["progress"].chart
    assert chart.rows[-1].x == 2900
    assert 2900 / every * 0.09 <= len(chart.rows) <= 300


def test_newton_has_no_last_iteration(client_of_dana: Client) -> None:
    run = training_run(steps=4, spec={"solver": "newton"}, solver="newton")
    said = page_of(client_of_dana, run)
    assert "Training, iteration 4." in said
    assert "until it has converged" in said


def test_a_run_is_cancelled_after_a_question(client_of_dana: Client) -> None:
    run = a_run(a_dataset())
    address = f"/runs/{run.pk}/cancel/"
    assert address in read(client_of_dana.get(f"/runs/{run.pk}/")).links
    question = client_of_dana.get(address)
    assert "leaves no model" in text_of(question)
    assert_clean(question)
    client_of_dana.post(address)
    run.refresh_from_db()
    assert run.state == "cancelled"
    said = page_of(client_of_dana, run)
    assert "This run was cancelled." in said
    assert "Change settings" in said


def test_a_run_under_way_is_being_cancelled(client_of_dana: Client) -> None:
    run = training_run()
    client_of_dana.post(f"/runs/{run.pk}/cancel/")
    said = page_of(client_of_dana, run)
    assert "Being cancelled." in said
    assert "Cancel…" not in said


def test_there_is_nothing_to_cancel_of_a_run_that_has_ended(client_of_dana: Client) -> None:
    run = a_run(a_dataset(), state="failed")
    assert "There is nothing to cancel" in text_of(client_of_dana.get(f"/runs/{run.pk}/cancel/"))
    refused = client_of_dana.post(f"/runs/{run.pk}/cancel/", follow=True)
    assert "has ended: it is failed" in text_of(refused)


def test_a_failed_run_shows_the_cells(client_of_dana: Client) -> None:
    facts = {"message": "line 3, column Area: expected a number", "problems": [BAD_CELL]}
    response = client_of_dana.get(f"/runs/{a_run(a_dataset(), state='failed', **facts).pk}/")
    said = text_of(response)
    assert "Line 3, column Area: expected a number" in said
    assert "3 Area expected a number, got “many”" in said
    assert "<code>many</code>" in response.content.decode()
    assert_clean(response)


def test_a_run_that_ended_early_keeps_its_curve(client_of_dana: Client) -> None:
    run = training_run()
    Run.objects.filter(pk=run.pk).update(state="cancelled")
    (chart,) = client_of_dana.get(f"/runs/{run.pk}/").context["convergence"]
    assert chart.rows[-1].x == 200


@pytest.mark.parametrize(("person", "sees"), [("dana", True), ("eve", False)])
def test_cells_are_quoted_to_who_trains(
    person: str, sees: bool, db: None, request: pytest.FixtureRequest, browse: Browse
) -> None:
    said = "expected a number, got 'Ada'"
    cell = BAD_CELL | {"message": said, "value": "'Ada'"}
    run = a_run(a_dataset(), state="failed", message=f"line 3: {said}", problems=[cell])
    page = page_of(browse(request.getfixturevalue(person)), run)
    assert "line 3: expected a number" in page.lower()
    assert ("Ada" in page) is sees


def test_it_says_which_columns_were_left_out(client_of_dana: Client) -> None:
    asked = {"target": "Class", "solver": "newton", "columns": None}
    said = page_of(client_of_dana, a_run(a_dataset(), state="failed", spec=asked))
    assert (
        "Left out, since no columns were named: “Id” (900 different texts: it reads like an identifier or free "
        "text)."
    ) in said


def test_a_failed_training_starts_again_as_a_run_of_its_own(client_of_dana: Client) -> None:
    failed = a_run(a_dataset(), state="failed")
    response = client_of_dana.post(f"/runs/{failed.pk}/again/")
    repeated = Run.objects.exclude(pk=failed.pk).get()
    assert response.headers["Location"] == f"/runs/{repeated.pk}/"
    assert (repeated.state, repeated.spec) == ("queued", failed.spec)


def test_pressed_twice_it_starts_again_once(client_of_dana: Client) -> None:
    failed = a_run(a_dataset(), state="failed")
    address, answers = f"/runs/{failed.pk}/again/", {"csrfmiddlewaretoken": "a" * 64}
    first, second = (text_of(client_of_dana.post(address, answers, follow=True)) for _ in range(2))
    assert "The same training once more, as a run of its own." in first
    assert ASKED_BEFORE in second
    assert "once more" not in second
    assert Run.objects.exclude(pk=failed.pk).count() == 1


def test_a_run_of_a_stored_file_leads_to_it_and_to_its_settings(client_of_dana: Client) -> None:
    dataset = a_dataset()
    finished = cast.trained_run()
    Run.objects.filter(pk=finished.pk).update(dataset=dataset)
    links = read(client_of_dana.get(f"/runs/{finished.pk}/")).links
    assert f"/datasets/{dataset.pk}/" in links
    assert f"/train/{dataset.pk}/?like={finished.pk}" in links


def test_who_may_only_look_sees_it_and_no_button(eve: User, browse: Browse) -> None:
    said = text_of(browse(eve).get(f"/runs/{training_run().pk}/"))
    assert "Training, epoch 200" in said
    assert "Cancel…" not in said


@pytest.mark.parametrize(
    ("state", "word"), [("queued", "Queued"), ("running", "Running"), ("cancelled", "Cancelled")]
)
def test_the_list_names_every_state(state: str, word: str, eve: User, browse: Browse) -> None:
    a_run(a_dataset(), state=state)
    a_run(None, state="failed", name="Broken")
    response = browse(eve).get(f"/runs/?state={state}")
    assert word in text_of(response)
    assert [row.run.name for row in response.context["rows"]] == ["Steep"]
    assert_clean(response)

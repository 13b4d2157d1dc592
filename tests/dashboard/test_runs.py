"""Runs: the list, the page of one, registering it, archiving it."""

from __future__ import annotations

import csv
import io

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse

from endpoints.models import AlgorithmVersion, Endpoint, Event, Metric, Run
from endpoints.services import artifacts
from tests import cast
from tests.dashboard.conftest import Browse, Site
from tests.dashboard.pages import assert_clean, read, text_of


def runs_on(response: HttpResponse) -> list[str]:
    return [row.run.name for row in response.context["rows"]]


def failed_run() -> Run:
    run = cast.trained_run(name="Broken")
    Run.objects.filter(pk=run.pk).update(
        state="failed", message="line 7, column Area: “x” is no number", artifact_sha256=""
    )
    run.metrics.all().delete()
    return run


def test_it_works(site: Site, eve: User, browse: Browse) -> None:
    response = browse(eve).get("/runs/")
    said = text_of(response)
    assert len(runs_on(response)) == 3
    assert "not converged" in said
    assert "synthetic" in said
    assert "raisin v1 ● Production" in said


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("?q=Gradient", ["Gradient descent"]),
        ("?solver=gd", ["Gradient descent"]),
        ("?state=failed", ["Broken"]),
        ("?q=elsewhere", []),
    ],
)
def test_filters(query: str, names: list[str], site: Site, eve: User, browse: Browse) -> None:
    failed_run()
    response = browse(eve).get("/runs/" + query)
    assert runs_on(response) == names
    assert ("No runs match" in text_of(response)) == (not names)


def test_a_filter_that_cannot_be_is_left_out_and_says_so(
    site: Site, eve: User, browse: Browse
) -> None:
    response = browse(eve).get("/runs/?solver=magic")
    assert len(runs_on(response)) == 3
    assert "This filter was left out" in text_of(response)
    assert_clean(response)


def test_an_empty_list_says_how_to_train(db: None, eve: User, browse: Browse) -> None:
    response = browse(eve).get("/runs/")
    assert "No runs yet" in text_of(response)
    assert "manage.py train" in response.content.decode()


def test_pages_keep_the_filter(
    db: None, eve: User, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.views.runs.PAGE_SIZE", 1)
    for _ in range(2):
        cast.trained_run(solver="gd")
    response = browse(eve).get("/runs/?solver=gd")
    assert "?solver=gd&page=2" in read(response).links


def test_the_download_is_what_the_filter_shows(site: Site, eve: User, browse: Browse) -> None:
    Run.objects.filter(pk=site.other_run.pk).update(name="=cmd()")
    response = browse(eve).get("/runs/download/?solver=gd")
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))
    assert [row["name"] for row in rows] == ["'=cmd()"]
    assert float(rows[0]["validation_accuracy"]) > 0.5


def test_a_run_shows_what_it_is(site: Site, eve: User, browse: Browse) -> None:
    response = browse(eve).get(f"/runs/{site.other_run.pk}/")
    said = text_of(response)
    assert all(part in said for part in ("Metrics", "Convergence", "Coefficients", "Data", "Files"))
    assert "ot converged after 100 epochs" in said
    assert "Synthetic data." in said
    assert "Register as version" not in said


def test_a_failed_run_says_why_first(db: None, dana: User, browse: Browse) -> None:
    response = browse(dana).get(f"/runs/{failed_run().pk}/")
    said = text_of(response)
    assert "This run failed. Line 7, column Area: “x” is no number" in said
    assert "Register as version" not in said
    assert_clean(response)


def test_long_curves_are_thinned_and_say_so(site: Site, eve: User, browse: Browse) -> None:
    run = site.other_run
    Metric.objects.filter(run=run, key__startswith="epoch_").delete()
    Run.objects.filter(pk=run.pk).update(iterations=5_000)
    Metric.objects.bulk_create(
        Metric(run=run, key="epoch_train_loss", step=step, value=1 / step)
        for step in range(1, 5_001)
    )
    response = browse(eve).get(f"/runs/{run.pk}/")
    chart = response.context["convergence"][0]
    assert 250 <= len(chart.rows) <= 300
    assert f"{len(chart.rows)} of 5,000 points" in text_of(response)


def test_it_registers_a_run(site: Site, dana: User, browse: Browse) -> None:
    answers = {"endpoint": "raisin", "note": "slow but steady"}
    response = browse(dana).post(f"/runs/{site.other_run.pk}/register/", answers, follow=True)
    version = AlgorithmVersion.objects.get(run=site.other_run)
    assert (version.number, version.status, version.note) == (3, "testing", "slow but steady")
    assert "v3 of Raisin is registered, in testing." in text_of(response)


def test_it_registers_a_run_at_a_new_endpoint(site: Site, dana: User, browse: Browse) -> None:
    answers = {"endpoint": "+", "new_slug": "grapes", "new_name": "", "note": ""}
    browse(dana).post(f"/runs/{site.other_run.pk}/register/", answers)
    version = AlgorithmVersion.objects.get(run=site.other_run)
    assert (version.endpoint.name, version.number) == ("Grapes", 1)
    assert Event.objects.filter(verb="create", endpoint=version.endpoint).exists()


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"endpoint": "nowhere"},
        {"endpoint": "+"},
        {"endpoint": "+", "new_slug": "raisin"},
        {"endpoint": "+", "new_slug": "endpoints"},
        {"endpoint": "+", "new_slug": "no spaces"},
    ],
)
def test_it_refuses_a_bad_registration(
    answers: dict[str, str], site: Site, dana: User, browse: Browse
) -> None:
    response = browse(dana).post(f"/runs/{site.other_run.pk}/register/", answers)
    assert response.status_code == 422
    assert "Nothing was registered." in text_of(response)
    assert (AlgorithmVersion.objects.count(), Endpoint.objects.count()) == (2, 1)
    assert_clean(response)


def test_it_refuses_to_register_a_failed_run(site: Site, dana: User, browse: Browse) -> None:
    response = browse(dana).post(
        f"/runs/{failed_run().pk}/register/", {"endpoint": "raisin"}, follow=True
    )
    assert "only a finished run has a model" in text_of(response)
    assert AlgorithmVersion.objects.count() == 2


def test_it_refuses_to_register_a_broken_artefact(site: Site, dana: User, browse: Browse) -> None:
    (artifacts.folder(site.other_run) / "model.json").write_text("{}")
    response = browse(dana).post(
        f"/runs/{site.other_run.pk}/register/", {"endpoint": "raisin"}, follow=True
    )
    assert "The artefact cannot be used" in text_of(response)
    assert AlgorithmVersion.objects.count() == 2


@pytest.mark.parametrize("action", ["register", "archive", "restore"])
def test_it_refuses_who_may_not(action: str, site: Site, eve: User, browse: Browse) -> None:
    response = browse(eve).post(f"/runs/{site.other_run.pk}/{action}/", {"endpoint": "raisin"})
    assert response.status_code == 403


def test_an_archived_run_leaves_the_list_and_comes_back(
    site: Site, dana: User, browse: Browse
) -> None:
    client = browse(dana)
    client.post(f"/runs/{site.other_run.pk}/archive/")
    assert "Gradient descent" not in runs_on(client.get("/runs/"))
    assert "Gradient descent" in runs_on(client.get("/runs/?archived=on"))
    assert "Undo archive" in text_of(client.get(f"/runs/{site.other_run.pk}/"))
    client.post(f"/runs/{site.other_run.pk}/restore/")
    assert "Gradient descent" in runs_on(client.get("/runs/"))

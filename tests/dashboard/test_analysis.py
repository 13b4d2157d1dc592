"""The pages of a run and of its version tell what the training found out, and stand without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from dashboard.charts import LineChart
from endpoints.models import Analysis, Endpoint, Run
from endpoints.services.forests import ForestSpec
from endpoints.services.training import Spec, TrainingJob, run_training
from mlcore.table import Table
from mlcore.training import TrainingSpec
from tests import cast
from tests.dashboard.pages import assert_clean, text_of

pytestmark = pytest.mark.django_db


def trained(spec: Spec | None = None, table: Table | None = None, **settings: Any) -> Run:
    recipe = spec or TrainingSpec(target="Class", positive="Besni", **settings)
    job = TrainingJob(
        table=table or cast.raisin_rows(), spec=recipe, experiment="raisin", actor=cast.SYSTEM
    )
    return run_training(job, clock=lambda: cast.THEN).run


def separable() -> Table:
    """Rows that one column tells apart without a single exception."""
    table = cast.raisin_rows()
    rows = tuple(
        (str(float(row[0]) + (1e6 if row[-1] == "Besni" else 0)), *row[1:]) for row in table.rows
    )
    return replace(table, rows=rows, sha256="5" * 64)


def titles(charts: list[LineChart]) -> list[str]:
    return [chart.title for chart in charts]


def test_it_works(admin_client: Client) -> None:
    response = admin_client.get(f"/runs/{trained().pk}/")
    said = text_of(response)
    for heading in ("Metrics", "Probabilities", "Convergence", "Coefficients"):
        assert heading in said
    assert "Regularisation path" in said
    assert "only the sum of their contributions can be trusted" in said
    assert "Penalised: approximate." in said
    assert_clean(response)


def test_the_links_at_the_top_lead_to_sections_that_are_there(admin_client: Client) -> None:
    response = admin_client.get(f"/runs/{trained().pk}/")
    body = response.content.decode()
    anchors = [anchor for anchor, _ in response.context["places"]]
    assert len(anchors) == 6
    for anchor in anchors:
        assert f'href="#{anchor}"' in body
        assert body.count(f'id="{anchor}"') == 1


def test_the_version_shows_the_model_but_not_the_way_to_it(
    admin_client: Client, raisin: Endpoint
) -> None:
    version = cast.registered_version(raisin, run=trained())
    response = admin_client.get(f"/endpoints/raisin/versions/{version.number}/")
    said = text_of(response)
    assert "Coefficients" in said
    assert "Convergence" not in said
    assert "Regularisation path" not in said
    assert_clean(response)


def test_a_run_without_a_report_shows_what_it_has(admin_client: Client) -> None:
    run = trained()
    Analysis.objects.filter(run=run).delete()
    response = admin_client.get(f"/runs/{run.pk}/")
    said = text_of(response)
    assert "Coefficients" in said
    assert "95 % interval" not in said
    assert "Regularisation path" not in said
    assert [anchor for anchor, _ in response.context["places"]] == [
        "metrics",
        "convergence",
        "coefficients",
    ]
    assert_clean(response)


def test_a_step_that_never_changes_gets_no_chart(admin_client: Client) -> None:
    shown = titles(admin_client.get(f"/runs/{trained().pk}/").context["convergence"])
    assert shown == [
        "Log loss",
        "Accuracy",
        "Objective",
        "Distance from the optimum",
        "Gradient norm",
        "Time",
    ]


def test_classes_that_are_separable_are_warned_of(admin_client: Client) -> None:
    run = trained(table=separable(), lambda_=0.0)
    response = admin_client.get(f"/runs/{run.pk}/")
    said = text_of(response)
    assert not run.converged
    assert "there is no finite optimum, and the errors mean nothing" in said
    assert "This run used no penalty, which has no place on this axis." in said
    assert "Penalised: approximate." not in said
    assert_clean(response)


@pytest.mark.parametrize("solver", ["random_forest", "decision_tree"])
def test_trees_say_that_they_have_no_coefficients(solver: Any, admin_client: Client) -> None:
    endpoint = cast.an_endpoint("trees")
    spec = ForestSpec(target="Class", positive="Besni", solver=solver, n_estimators=5, max_depth=3)
    version = cast.registered_version(endpoint, status="production", run=trained(spec))
    for page in (f"/runs/{version.run_id}/", "/endpoints/trees/versions/1/"):
        response = admin_client.get(page)
        assert "Trees have no coefficients." in text_of(response)
        assert "Worst validation rows" in text_of(response)
        assert_clean(response)
    request_id = cast.prediction(endpoint).request_id
    response = admin_client.get(f"/endpoints/trees/predictions/{request_id}/")
    said = text_of(response)
    assert "Contributions are in probability, not in log-odds" in said
    assert "0 is a probability of one half" not in said
    assert_clean(response)


def test_a_calibrated_model_says_so(admin_client: Client) -> None:
    endpoint = cast.an_endpoint("calibrated")
    run = trained(calibration="platt", threshold="recall>=0.9")
    version = cast.registered_version(endpoint, status="production", run=run)
    response = admin_client.get(f"/runs/{run.pk}/")
    said = text_of(response)
    assert "calibrated after the fit (platt)" in said
    assert "It is of the fit before its calibration." in said
    (mark,) = response.context["threshold_chart"].marks
    assert mark.x == version.threshold
    request_id = cast.prediction(endpoint).request_id
    page = text_of(admin_client.get(f"/endpoints/calibrated/predictions/{request_id}/"))
    assert "the calibration then turns that into the probability" in page


def test_the_penalty_in_use_is_marked_beside_the_best(admin_client: Client) -> None:
    fixed = admin_client.get(f"/runs/{trained(lambda_=0.01).pk}/").context["path"]
    found = admin_client.get(f"/runs/{trained(lambda_='auto').pk}/").context["path"]
    assert {mark.text for mark in fixed.loss.marks} == {"best", "one SE", "in use"}
    assert {mark.text for mark in found.loss.marks} == {"best, in use", "one SE"}
    assert fixed.loss.x_scale == "log"
    assert fixed.loss.band == "one standard error"


@pytest.mark.parametrize("odd", [{"best": 99}, {"rows": 3}, {"best": None}])
def test_an_analysis_that_does_not_fit_its_model_is_left_out_and_said(
    admin_client: Client, odd: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    run = trained()
    report = run.analysis.report
    Analysis.objects.filter(run=run).update(report=report | {"path": report["path"] | odd})
    said = text_of(admin_client.get(f"/runs/{run.pk}/"))
    assert "does not fit its model and is not shown" in said
    assert "Metrics" in said
    assert "Coefficients" in said
    assert f"The analysis of run {run.pk} does not fit its model." in caplog.text

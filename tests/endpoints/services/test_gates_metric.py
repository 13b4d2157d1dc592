"""The gate of the metric: the same rows, the right direction, how sure, and what it may rest on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from endpoints.models import AlgorithmVersion, Endpoint, Run
from endpoints.services import artifacts, holdouts
from endpoints.services.gates import Gate
from endpoints.services.gates import metric as metric_gate
from mlcore import datasets, evaluation
from mlcore.paired import DifferenceReport
from tests import cast
from tests.endpoints import grains
from tests.endpoints.services.candidates import gate, second

pytestmark = pytest.mark.django_db


def metric(endpoint: Endpoint, **settings: object) -> Gate:
    Endpoint.objects.filter(pk=endpoint.pk).update(**settings)
    return gate(second(endpoint), "metric")


def better_by(endpoint: Endpoint, name: str) -> float:
    """By how much v2 is better than v1 on the holdout rows of v2, worked out by hand."""
    first, version = endpoint.versions.order_by("number")
    holdout = datasets.read_csv(artifacts.holdout_file(version.run))
    ours = getattr(evaluation.evaluate(artifacts.load(version), holdout), name)
    theirs = getattr(evaluation.evaluate(artifacts.load(first), holdout), name)
    return float(theirs - ours if name in {"log_loss", "brier"} else ours - theirs)


def turned(endpoint: Endpoint) -> AlgorithmVersion:
    """The endpoint with the better v2 in production and v1 as its rival."""
    endpoint.versions.filter(number=1).update(status="archived")
    endpoint.versions.filter(number=2).update(status="production")
    versions = AlgorithmVersion.objects.select_related("endpoint", "run")
    return versions.get(endpoint=endpoint, number=1)


def uploaded(version: AlgorithmVersion) -> AlgorithmVersion:
    """The version as one that was handed over: claims alone, and no holdout rows."""
    artifacts.holdout_file(version.run).unlink()
    Run.objects.filter(pk=version.run_id).update(uploaded=True)
    return AlgorithmVersion.objects.select_related("endpoint", "run").get(pk=version.pk)


def test_it_works(raisin: Endpoint) -> None:
    found = metric(raisin)
    assert found.verdict == "pass"
    assert f"v2 is better than v1 on log loss by {better_by(raisin, 'log_loss'):.4f}" in (
        found.message
    )
    assert "both on the 180 holdout rows of v2 (95 % interval: 0." in found.message
    assert found.value.startswith("log loss 0.")
    assert ", v1 0." in found.value
    assert found.limit == "at most 0.01 worse"


def test_it_says_the_same_every_time(raisin: Endpoint) -> None:
    assert metric(raisin) == metric(raisin)


@pytest.mark.parametrize("name", ["log_loss", "brier", "accuracy", "roc_auc", "f1", "mcc"])
def test_a_bar_above_what_was_found_fails(raisin: Endpoint, name: str) -> None:
    found = abs(better_by(raisin, name)) + 0.001
    assert metric(raisin, primary_metric=name, minimum_improvement=found).verdict == "fail"


def test_a_bar_inside_the_interval_is_a_warning(raisin: Endpoint) -> None:
    bar = better_by(raisin, "log_loss") - 1e-6
    found = metric(raisin, minimum_improvement=bar)
    assert found.verdict == "warn"
    assert found.limit == f"at least {bar:g} better"


def test_a_worse_candidate_fails(raisin: Endpoint) -> None:
    found = gate(turned(raisin), "metric")
    assert found.verdict == "fail"
    assert "v1 is worse than v2 on log loss by 0." in found.message


def test_tolerance_forgives_and_doubt_warns(raisin: Endpoint) -> None:
    candidate = turned(raisin)
    worse_by = better_by(raisin, "log_loss")
    candidate.endpoint.metric_tolerance = worse_by + 1e-6
    assert gate(candidate, "metric").verdict == "warn"
    candidate.endpoint.metric_tolerance = worse_by + 1
    assert gate(candidate, "metric").verdict == "pass"


def test_the_endpoint_may_turn_the_direction(raisin: Endpoint) -> None:
    assert metric(raisin, metric_direction="lower").verdict == "pass"
    found = metric(raisin, metric_direction="higher")
    assert found.verdict == "fail"
    assert "v2 is worse than v1" in found.message


def test_the_same_model_equals_itself(raisin: Endpoint) -> None:
    again = cast.registered_version(raisin, lambda_=0.1)
    found = gate(again, "metric")
    assert found.verdict == "pass"
    assert "v3 equals v1 on log loss" in found.message
    assert "interval" not in found.message


def test_without_production_it_has_not_run(raisin: Endpoint) -> None:
    raisin.versions.filter(number=1).update(status="archived")
    assert metric(raisin).verdict == "not_run"


def test_a_model_without_rows_is_judged_on_those_of_production(raisin: Endpoint) -> None:
    found = gate(uploaded(second(raisin)), "metric")
    assert found.verdict == "pass"
    assert "both on the 180 holdout rows of v1" in found.message


def test_without_any_rows_it_warns(raisin: Endpoint) -> None:
    artifacts.holdout_file(raisin.versions.get(number=1).run).unlink()
    found = gate(uploaded(second(raisin)), "metric")
    assert found.verdict == "warn"
    assert "neither v2 nor v1 has holdout rows" in found.message


def test_rows_that_cannot_be_read_are_a_warning_with_the_cause(raisin: Endpoint) -> None:
    artifacts.holdout_file(second(raisin).run).write_text("Class\nBesni\n")
    found = metric(raisin)
    assert found.verdict == "warn"
    assert "cannot be compared on the same rows" in found.message


def test_rows_that_production_may_have_seen_are_named(raisin: Endpoint) -> None:
    """The same data set, split by another seed."""
    third = cast.registered_version(raisin, seed=8)
    found = gate(third, "metric")
    assert "v1 may have been trained on some of these rows, which favours it." in found.message
    assert "may have been trained" not in metric(raisin).message


def test_rows_that_the_candidate_may_have_seen_are_named(raisin: Endpoint) -> None:
    found = gate(uploaded(cast.registered_version(raisin, seed=8)), "metric")
    assert "v3 may have been trained on some of these rows, which favours it." in found.message


def test_rows_too_few_for_an_interval_leave_a_doubt(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = DifferenceReport("log_loss", 0.3, 0.4, None, None, 2)
    monkeypatch.setattr(metric_gate, "paired_difference", lambda *_, **__: report)
    found = metric(raisin)
    assert found.verdict == "warn"
    assert "(too few rows for an interval)" in found.message


def test_one_class_of_rows_cannot_rank(raisin: Endpoint) -> None:
    path = artifacts.holdout_file(second(raisin).run)
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, *(line for line in lines if "Besni" in line), ""]))
    found = metric(raisin, primary_metric="roc_auc")
    assert found.verdict == "warn"
    assert "roc_auc is undefined: the rows do not hold every class" in found.message


def test_another_positive_class_is_still_compared(raisin: Endpoint) -> None:
    """Which class counts as 1 is the schema gate's; the log loss is that of the same rows."""
    turned_round = cast.registered_version(raisin, positive="Kecimen", lambda_=0.1)
    found = gate(turned_round, "metric")
    assert "v3 equals v1" in found.message or "by 0.0000" in found.message


def test_three_classes_are_compared_too(db: None) -> None:
    endpoint = grains.endpoint()
    candidate = grains.version(endpoint, status="staging", lambda_=0.001)
    for name in ("log_loss", "roc_auc", "balanced_accuracy"):
        candidate.endpoint.primary_metric = name
        assert gate(candidate, "metric").verdict in {"pass", "warn"}


def test_there_is_no_specificity_of_three_classes(db: None) -> None:
    endpoint = grains.endpoint()
    candidate = grains.version(endpoint, status="staging", lambda_=0.001)
    candidate.endpoint.primary_metric = "specificity"
    found = gate(candidate, "metric")
    assert (found.verdict, found.message) == ("not_run", "There is no specificity of 3 classes.")


def test_the_moment_does_not_matter(raisin: Endpoint) -> None:
    later = gate(second(raisin), "metric", now=cast.THEN + timedelta(days=400))
    assert later == metric(raisin)


def test_of_a_large_file_every_few_rows_are_compared(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = artifacts.holdout_file(second(raisin).run).stat().st_size
    monkeypatch.setattr(holdouts, "MOST_BYTES", size // 3 + 1)
    assert "60 holdout rows of v2" in metric(raisin).message

"""The gates: what they compare, and what they say when they cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from endpoints.models import AlgorithmVersion, Endpoint
from endpoints.services import artifacts, gates
from mlcore import Classifier, datasets, evaluation

pytestmark = pytest.mark.django_db


def gate(version: AlgorithmVersion, name: str) -> gates.Gate:
    return next(found for found in gates.evaluate(version) if found.name == name)


def with_tolerance(
    endpoint: Endpoint, tolerance: float, metric: str = "log_loss"
) -> AlgorithmVersion:
    Endpoint.objects.filter(pk=endpoint.pk).update(
        metric_tolerance=tolerance, primary_metric=metric
    )
    return AlgorithmVersion.objects.select_related("endpoint", "run").get(
        endpoint=endpoint, number=2
    )


def difference(endpoint: Endpoint, metric: str) -> float:
    """Recompute by hand how much better v2 is than v1 on the holdout rows of v2."""
    first, second = endpoint.versions.order_by("number")
    holdout = datasets.read_csv(artifacts.holdout_file(second.run))
    ours = getattr(evaluation.evaluate(artifacts.load(second), holdout), metric)
    theirs = getattr(evaluation.evaluate(artifacts.load(first), holdout), metric)
    return float(ours - theirs)


def test_it_works(raisin: Endpoint) -> None:
    version = raisin.versions.get(number=2)
    assert [found.name for found in gates.evaluate(version)] == [
        "Artefact reload",
        "Schema and classes",
        "Solver converged",
        "Validation metric",
    ]


@pytest.mark.parametrize(("metric", "sign"), [("log_loss", 1), ("accuracy", -1), ("roc_auc", -1)])
def test_the_metric_gate_knows_which_direction_is_worse(
    raisin: Endpoint, metric: str, sign: int
) -> None:
    worse_by = sign * difference(raisin, metric)
    version = with_tolerance(raisin, max(worse_by, 0.0) + 1e-9, metric)
    assert gate(version, "Validation metric").verdict == "pass"
    if worse_by > 1e-9:
        version = with_tolerance(raisin, worse_by - 1e-9, metric)
        assert gate(version, "Validation metric").verdict == "fail"


def test_a_worse_candidate_fails(raisin: Endpoint) -> None:
    """v1 has the larger log loss; let it be the candidate against v2."""
    assert difference(raisin, "log_loss") < 0
    raisin.versions.filter(number=1).update(status="archived")
    raisin.versions.filter(number=2).update(status="production")
    with_tolerance(raisin, 0.0)
    candidate = AlgorithmVersion.objects.select_related("endpoint", "run").get(number=1)
    found = gate(candidate, "Validation metric")
    assert found.verdict == "fail"
    assert "v1 is worse than v2 on log loss" in found.message


def test_without_production_the_metric_gate_has_not_run(raisin: Endpoint) -> None:
    raisin.versions.filter(number=1).update(status="archived")
    assert gate(raisin.versions.get(number=2), "Validation metric").verdict == "not_run"


def test_missing_holdout_rows_are_a_warning_with_the_cause(raisin: Endpoint) -> None:
    version = raisin.versions.get(number=2)
    path = artifacts.holdout_file(version.run)
    moved = path.rename(path.with_suffix(".away"))
    try:
        found = gate(version, "Validation metric")
    finally:
        moved.rename(path)
    assert found.verdict == "warn"
    assert "cannot be compared" in found.message


def test_a_changed_artefact_fails_the_reload(raisin: Endpoint) -> None:
    version = raisin.versions.get(number=2)
    model = artifacts.folder(version) / "model.json"
    good = model.read_bytes()
    model.write_bytes(good.replace(b"Class", b"Klass"))
    try:
        assert gate(version, "Artefact reload").verdict == "fail"
    finally:
        model.write_bytes(good)


def test_an_unconverged_fit_is_a_warning(raisin: Endpoint) -> None:
    raisin.versions.filter(number=2).update(converged=False)
    assert gate(raisin.versions.get(number=2), "Solver converged").verdict == "warn"


def with_columns(classifier: Classifier, **changes: Any) -> Classifier:
    """The classifier with its first column changed."""
    first, *others = classifier.schema.columns
    schema = replace(classifier.schema, columns=(replace(first, **changes), *others))
    return replace(classifier, schema=schema)


def test_a_level_or_a_hole_that_is_no_longer_taken_fails(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = raisin.versions.get(number=2)
    ours = artifacts.load(candidate)
    levels = {"kind": "category", "levels": ("big", "small"), "fill": "big"}
    theirs = with_columns(ours, **levels)
    narrower = with_columns(ours, kind="category", levels=("small",), fill=None)
    loaded = {candidate.pk: narrower}
    monkeypatch.setattr(artifacts, "load", lambda kept: loaded.get(kept.pk, theirs))
    found = gates.evaluate(candidate)[1]
    assert found.verdict == "fail"
    assert "levels of Area no longer known big" in found.message
    assert "Area may no longer be missing" in found.message

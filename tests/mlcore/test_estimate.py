from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore import Column, Schema, build_profile
from mlcore.arrays import FloatArray
from mlcore.errors import DataError
from mlcore.estimate import (
    ASSUMPTIONS,
    Estimate,
    estimate_from_cells,
    estimate_performance,
    reference_performance,
)
from mlcore.loss import sigmoid
from mlcore.metrics import evaluate_predictions
from mlcore.performance import ESTIMATED, ReferencePerformance
from mlcore.window import Window
from tests.mlcore.reference_scores import THRESHOLD, reference_and_current

REFERENCE, CURRENT = reference_and_current()

PUBLISHED = {
    "accuracy": (0.712611767, 0.014518815),
    "f1": (0.789948700, 0.024637158),
    "precision": (0.721490609, 0.019912797),
    "recall": (0.872759859, 0.019332523),
    "specificity": (0.452223696, 0.021323815),
    "roc_auc": (0.757099211, 0.010348049),
}
"""Estimate and standard error by NannyML 0.13.1, which rounds the cumulative sums of the area."""


@cache
def reference() -> ReferencePerformance:
    return reference_performance(*REFERENCE, THRESHOLD)


def value(found: dict[str, Estimate], name: str) -> float:
    estimated = found[name].value
    assert estimated is not None
    return estimated


def cells_of(scores: FloatArray, grid_rows: FloatArray, steps: int = 1000) -> tuple[Any, Any]:
    """Mean score and rows of each cell between the order statistics of other rows."""
    edges = np.unique(np.quantile(grid_rows, np.linspace(0, 1, steps + 1), method="inverted_cdf"))
    place = np.searchsorted(edges, scores)
    counts = np.bincount(place, minlength=len(edges) + 1)
    with np.errstate(invalid="ignore"):
        return np.bincount(place, weights=scores, minlength=len(counts)) / counts, counts


@pytest.mark.parametrize("name", ESTIMATED)
def test_it_estimates_what_nannyml_does(name: str) -> None:
    found = estimate_performance(reference(), CURRENT.scores)[name]
    estimated, error = PUBLISHED[name]
    assert found.value == pytest.approx(estimated, abs=1e-9)
    assert found.standard_error == pytest.approx(error, abs=1e-9)


def test_the_area_differs_from_that_of_nannyml_by_its_rounding_alone() -> None:
    found = value(estimate_performance(reference(), CURRENT.scores), "roc_auc")
    assert found == pytest.approx(0.757099221, abs=2e-8)


def test_the_band_is_three_standard_errors() -> None:
    found = estimate_performance(reference(), CURRENT.scores)["accuracy"]
    assert found.low == pytest.approx(0.712611767 - 3 * 0.014518815, abs=1e-8)
    assert found.high == pytest.approx(0.712611767 + 3 * 0.014518815, abs=1e-8)


def test_the_band_ends_at_one() -> None:
    found = estimate_performance(reference(), CURRENT.scores[:30])
    assert {found["recall"].high, found["f1"].high} == {1.0}


def test_without_the_calibration_it_would_be_too_sure() -> None:
    sure = replace(reference(), calibration=None)
    found = estimate_performance(sure, CURRENT.scores)
    assert value(found, "accuracy") == pytest.approx(0.7497, abs=5e-5)


def test_the_metrics_of_the_reference_are_those_of_its_rows() -> None:
    report = evaluate_predictions(*REFERENCE, THRESHOLD)
    found = reference()
    for name, measured in found.metrics.items():
        assert measured == pytest.approx(getattr(report, name), abs=1e-12), name
    assert (found.n, found.threshold, found.prevalence) == (2000, THRESHOLD, report.prevalence)
    assert found.positive_rate == (747 + 362) / 2000


def test_it_keeps_what_an_estimate_says_of_the_reference_itself() -> None:
    found = estimate_performance(reference(), REFERENCE.scores)
    assert reference().expected == {name: estimate.value for name, estimate in found.items()}
    assert reference().expected["accuracy"] == pytest.approx(0.698, abs=0.01)


def test_the_error_of_an_area_is_that_of_the_rarer_class() -> None:
    y, scores = np.array([1, 1, 1, 0, 0]), np.array([0.2, 0.6, 0.9, 0.1, 0.6])
    found = reference_performance(y, scores, 0.5).errors["roc_auc"]
    above = [1.0, (1 + 0.5) / 3]
    assert found.sd == pytest.approx(np.std(above))
    assert found.fraction == 2 / 5
    turned = reference_performance(1 - y, 1 - scores, 0.5).errors["roc_auc"]
    assert (turned.sd, turned.fraction) == pytest.approx((found.sd, found.fraction))


def test_decisions_that_were_served_may_be_others() -> None:
    served = CURRENT.scores >= 0.7
    found = estimate_performance(reference(), CURRENT.scores, served)
    moved = estimate_from_cells(reference(), CURRENT.scores, np.ones(1000), 0.7)
    assert found == moved
    assert value(found, "recall") < 0.872759859


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from([0.0, 0.1, 0.3, 0.44, 0.7, 0.9, 1.0]), st.integers(0, 9)),
        min_size=1,
        max_size=12,
    )
)
def test_cells_are_as_many_rows(rows: list[tuple[float, int]]) -> None:
    values, counts = np.array(rows).T
    repeated = np.repeat(values, counts.astype(int))
    found = estimate_from_cells(reference(), values, counts, THRESHOLD)
    if not len(repeated):
        assert set(found.values()) == {Estimate(None)}
        return
    expected = estimate_performance(reference(), repeated)
    n_positive = float(np.sum(repeated >= THRESHOLD))
    told = estimate_from_cells(reference(), values, counts, None, n_positive=n_positive)
    for name, estimate in expected.items():
        for one in (found[name], told[name]):
            assert one.value == (
                None if estimate.value is None else pytest.approx(estimate.value, abs=1e-12)
            )
            assert one.standard_error == (
                None if estimate.value is None else pytest.approx(estimate.standard_error)
            )


def test_a_thousand_cells_are_nearly_the_rows() -> None:
    exact = estimate_performance(reference(), CURRENT.scores)
    cells = cells_of(CURRENT.scores, REFERENCE.scores)
    n_positive = float(np.sum(CURRENT.scores >= THRESHOLD))
    for told in ({}, {"n_positive": n_positive}):
        found = estimate_from_cells(reference(), *cells, THRESHOLD, **told)
        for name, estimate in exact.items():
            assert value(found, name) == pytest.approx(estimate.value, abs=0.002), name
            assert found[name].standard_error == estimate.standard_error


def test_knowing_how_many_were_positive_divides_the_cell_of_the_threshold() -> None:
    scores = np.random.default_rng(4).uniform(0.3, 0.6, 20_000)
    cells = cells_of(scores, np.linspace(0, 1, 1000), steps=10)
    exact = value(estimate_performance(reference(), scores), "recall")
    guessed = value(estimate_from_cells(reference(), *cells, THRESHOLD), "recall")
    n_positive = float(np.sum(scores >= THRESHOLD))
    told = estimate_from_cells(reference(), *cells, THRESHOLD, n_positive=n_positive)
    assert abs(guessed - exact) > 0.1
    assert value(told, "recall") == pytest.approx(exact, abs=0.02)


def test_the_mean_of_equal_scores_at_the_threshold_is_at_the_threshold() -> None:
    mean = np.nextafter(THRESHOLD, 0.0)
    found = estimate_from_cells(reference(), [mean, 0.1], [7, 3], THRESHOLD)
    assert found == {
        name: Estimate(
            *(None if part is None else pytest.approx(part) for part in vars(e).values())
        )
        for name, e in estimate_performance(
            reference(), np.repeat([THRESHOLD, 0.1], [7, 3])
        ).items()
    }


def test_a_mean_of_ones_may_be_rounded() -> None:
    rounded = estimate_from_cells(reference(), [np.nextafter(1.0, 2.0), -1e-17], [3, 2], 0.5)
    assert rounded == estimate_from_cells(reference(), [1.0, 0.0], [3, 2], 0.5)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_the_window_of_a_log_is_nearly_its_rows(shift: float) -> None:
    rng = np.random.default_rng(12)
    schema = Schema((Column("x", "number"),))
    x = rng.normal(size=4000)
    profile = build_profile(
        schema, schema.read_matrix(x[:, np.newaxis]), probabilities=sigmoid(1.5 * x), threshold=0.44
    )
    live = rng.normal(shift, 1.0, 5000)
    scores = sigmoid(1.5 * live)
    window = Window.empty(profile)
    window.add(live[:, np.newaxis], probabilities=scores, predicted=scores >= THRESHOLD)
    n_positive = int(window.predicted[1])
    found = estimate_from_cells(reference(), *window.scores, THRESHOLD, n_positive=n_positive)
    for name, estimate in estimate_performance(reference(), scores).items():
        assert value(found, name) == pytest.approx(estimate.value, abs=0.001), name


def test_it_follows_rows_that_moved() -> None:
    """Scores that are calibrated: realised values lie in the band, whatever way the rows move."""
    rng = np.random.default_rng(8)

    def drawn(n: int, mean: float) -> tuple[FloatArray, FloatArray]:
        p = sigmoid(rng.normal(mean, 1.5, n))
        return (rng.random(n) < p).astype(np.float64), p

    learnt = replace(reference_performance(*drawn(5000, 0.0), 0.5), calibration=None)
    inside = []
    for mean in np.linspace(-1.5, 1.5, 60):
        y, p = drawn(800, mean)
        realised = evaluate_predictions(y, p)
        for name, found in estimate_performance(learnt, p).items():
            assert found.low is not None
            assert found.high is not None
            inside.append(found.low <= getattr(realised, name) <= found.high)
    assert np.mean(inside) > 0.97


def test_it_cannot_see_that_labels_mean_something_else() -> None:
    before = value(estimate_performance(reference(), CURRENT.scores), "accuracy")
    turned = evaluate_predictions(1 - CURRENT.y, CURRENT.scores, THRESHOLD).accuracy
    assert before - turned > 0.3
    assert any("concept drift" in sentence for sentence in ASSUMPTIONS)


@pytest.mark.parametrize(
    ("scores", "undefined"),
    [
        ([0.1, 0.2], {"precision"}),
        ([0.9, 0.8], set()),
        ([0.0, 0.0], {"precision", "recall", "f1", "roc_auc"}),
    ],
)
def test_an_empty_denominator_is_none(scores: list[float], undefined: set[str]) -> None:
    found = estimate_performance(reference(), scores)
    assert {name for name, estimate in found.items() if estimate.value is None} == undefined


def test_certain_rows_have_no_area() -> None:
    sure = replace(reference(), calibration=None)
    found = estimate_performance(sure, [1.0, 1.0])
    assert (found["roc_auc"], found["specificity"]) == (Estimate(None), found["roc_auc"])
    assert found["precision"].value == 1.0


def test_a_reference_of_one_class_gives_what_it_can() -> None:
    found = reference_performance([1, 1, 1], [0.2, 0.6, 0.9], 0.5)
    assert found.calibration is None
    undefined = {name for name, measured in found.metrics.items() if measured is None}
    assert undefined == {"specificity", "roc_auc"}
    assert undefined.isdisjoint(found.errors)
    estimated = estimate_performance(found, [0.4, 0.8])
    assert estimated["roc_auc"].value is not None
    assert (estimated["roc_auc"].standard_error, estimated["roc_auc"].low) == (None, None)


def test_a_reference_that_neither_has_nor_finds_positives_says_nothing_of_f1() -> None:
    found = reference_performance([0, 0, 0], [0.1, 0.2, 0.3], 0.5)
    assert found.metrics["f1"] is None
    assert set(found.errors) == {"accuracy", "specificity"}
    f1 = estimate_performance(found, [0.4, 0.8])["f1"]
    assert f1.value is not None
    assert f1.standard_error is None


def three_classes(n: int, seed: int = 6) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    P = rng.dirichlet([1.0, 1.0, 1.0], n)
    y = (rng.random(n)[:, np.newaxis] > np.cumsum(P, axis=1)).sum(axis=1)
    sharper = P**2 / (P**2).sum(axis=1, keepdims=True)
    return y.astype(np.float64), sharper


def test_three_classes_have_an_estimated_accuracy() -> None:
    y, P = three_classes(4000)
    found = reference_performance(y, P, None)
    right = P.argmax(axis=1) == y
    assert dict(found.metrics) == {"accuracy": right.mean()}
    assert found.errors["accuracy"].sd == pytest.approx(right.std())
    assert (found.threshold, found.prevalence, found.positive_rate) == (None, None, None)
    unseen, Q = three_classes(4000, seed=7)
    estimated = estimate_performance(found, Q.max(axis=1))
    assert set(estimated) == {"accuracy"}
    realised = float((Q.argmax(axis=1) == unseen).mean())
    assert value(estimated, "accuracy") == pytest.approx(realised, abs=0.025)
    assert Q.max(axis=1).mean() - realised > 0.05
    cells = cells_of(Q.max(axis=1), P.max(axis=1))
    by_cells = estimate_from_cells(found, *cells, None)
    assert value(by_cells, "accuracy") == pytest.approx(value(estimated, "accuracy"), abs=0.002)


@pytest.mark.parametrize(
    ("y", "P", "threshold"),
    [
        ([0, 1], [[0.5, 0.5], [0.1, 0.9]], None),
        ([0, 1], [0.5, 0.9], None),
        ([0, 1, 2], np.eye(3)[:2], None),
        ([0, 3], np.eye(3)[:2], None),
        ([0, 1], np.eye(3)[:2], 0.5),
        ([0, 2], [0.1, 0.9], 0.5),
        ([0, 1], [0.1, 1.1], 0.5),
        ([], [], 0.5),
        ([0, 1], ["a", "b"], 0.5),
    ],
)
def test_it_refuses_rows_that_cannot_be_judged(y: Any, P: Any, threshold: float | None) -> None:
    with pytest.raises(DataError):
        reference_performance(y, P, threshold)


def test_it_refuses_cells_that_are_none() -> None:
    with pytest.raises(DataError, match="do not go with"):
        estimate_from_cells(reference(), [0.1, 0.2], [1], 0.5)
    with pytest.raises(DataError, match="weight"):
        estimate_from_cells(reference(), [0.1, 0.2], [1, -1], 0.5)
    with pytest.raises(DataError, match="probability"):
        estimate_from_cells(reference(), [0.1, 1.2], [1, 1], 0.5)
    with pytest.raises(DataError, match="cannot be predicted positive"):
        estimate_from_cells(reference(), [0.1, 0.2], [1, 1], 0.5, n_positive=3)


def test_two_columns_of_probabilities_are_those_of_the_second_class() -> None:
    P = np.column_stack((1 - REFERENCE.scores, REFERENCE.scores))
    assert reference_performance(REFERENCE.y, P, THRESHOLD) == reference()


@pytest.mark.parametrize(
    "found", [reference(), reference_performance(*three_classes(300), None)], ids=["two", "three"]
)
def test_it_survives_json(found: ReferencePerformance) -> None:
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert ReferencePerformance.from_dict(json.loads(text)) == found


PLAIN = replace(reference(), calibration=None).to_dict()


@pytest.mark.parametrize(
    "change",
    [
        {"more": 1},
        {"n": 0},
        {"n": 2000.0},
        {"n": True},
        {"threshold": None},
        {"threshold": 1.5},
        {"prevalence": "half"},
        {"metrics": {}},
        {"metrics": {**PLAIN["metrics"], "accuracy": "good"}},
        {"metrics": {**PLAIN["metrics"], "accuracy": float("nan")}},
        {"metrics": [0.5]},
        {"expected": {}},
        {"expected": {**PLAIN["expected"], "recall": "high"}},
        {"errors": {"log_loss": {"sd": 0.1, "fraction": 1.0}}},
        {"errors": {"accuracy": {"sd": -0.1, "fraction": 1.0}}},
        {"errors": {"accuracy": {"sd": 0.1, "fraction": 0.0}}},
        {"errors": {"accuracy": {"sd": 0.1}}},
        {"errors": {"accuracy": 0.1}},
        {"errors": None},
        {"calibration": {"method": "spline"}},
    ],
)
def test_it_refuses_a_damaged_document(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"performance|calibration"):
        ReferencePerformance.from_dict({**PLAIN, **change})


@pytest.mark.parametrize("document", [None, [], {}, "x"])
def test_it_refuses_what_is_no_document(document: Any) -> None:
    with pytest.raises(ValueError, match="performance"):
        ReferencePerformance.from_dict(document)

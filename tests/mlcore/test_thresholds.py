from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore import DataError, best_threshold
from mlcore.metrics import evaluate_predictions
from mlcore.thresholds import ThresholdSpec, calibrated_threshold, threshold_curve

TUNED = ("accuracy", "f1", "youden")
ROWS = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5000000000000001, 0.8, 1.0])),
    min_size=2,
    max_size=12,
).filter(lambda rows: len({label for label, _ in rows}) == 2)


def exact(y: np.ndarray, p: np.ndarray, threshold: float, objective: str) -> Fraction:
    predicted = p >= threshold
    tp, fp = int((predicted & (y == 1)).sum()), int((predicted & (y == 0)).sum())
    P, N = int((y == 1).sum()), int((y == 0).sum())
    if objective == "accuracy":
        return Fraction(tp + N - fp, P + N)
    if objective == "f1":
        return Fraction(2 * tp, tp + fp + P)
    return Fraction(tp, P) - Fraction(fp, N)


def test_it_works() -> None:
    y, p = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.1, 0.3, 0.4, 0.9])
    assert best_threshold(y, p, objective="youden") == pytest.approx(0.65)
    assert best_threshold(y, p, objective="f1") == pytest.approx(0.2)


def test_of_equal_cuts_the_nearest_to_a_half_wins() -> None:
    y, p = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.1, 0.3, 0.4, 0.9])
    assert best_threshold(y, p, objective="accuracy") == pytest.approx(0.65)


@pytest.mark.parametrize("objective", TUNED)
@given(rows=ROWS)
def test_no_cut_is_better(objective: str, rows: list[tuple[bool, float]]) -> None:
    y, p = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    threshold = best_threshold(y, p, objective=objective)
    assert 0 <= threshold <= 1
    found = exact(y, p, threshold, objective)
    every_cut = {0.0, 1.0, *p.tolist(), *(p / 2).tolist(), *np.nextafter(p, 1).tolist()}
    assert found == max(exact(y, p, cut, objective) for cut in every_cut)


def test_it_cuts_between_neighbouring_floats() -> None:
    low = 0.5
    high = float(np.nextafter(low, 1))
    threshold = best_threshold(np.array([0.0, 1.0]), np.array([low, high]), objective="accuracy")
    assert low < threshold <= high


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: best_threshold(np.ones(2), np.array([0.1, 0.2]), objective="f1"), "both classes"),
        (lambda: best_threshold(np.zeros(2), np.array([0.1, 0.2]), objective="f1"), "both classes"),
        (lambda: best_threshold(np.eye(2)[0], np.eye(2)[0], objective="f2"), "use accuracy, f1"),
    ],
)
def test_it_refuses(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()


Y, P = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.1, 0.3, 0.4, 0.9])

SPECS = st.one_of(
    st.sampled_from(["accuracy", "f1", "youden"]).map(ThresholdSpec),
    st.builds(
        lambda fp, fn: ThresholdSpec("cost", cost_fp=fp, cost_fn=fn),
        st.integers(0, 9).map(float),
        st.integers(1, 9).map(float),
    ),
    st.builds(ThresholdSpec, st.sampled_from(["precision", "recall"]), st.floats(0, 1)),
    st.builds(ThresholdSpec, st.just("fixed"), st.floats(0, 1)),
)


def goal(spec: ThresholdSpec, y: np.ndarray, p: np.ndarray, w: np.ndarray, cut: float) -> Any:
    """What is to be as large as possible; None where the target is missed."""
    called = p >= cut
    tp, fp = w[called & (y == 1)].sum(), w[called & (y == 0)].sum()
    total = w[y == 1].sum()
    if spec.objective == "cost":
        return -(spec.cost_fp * fp + spec.cost_fn * (total - tp))
    precision = tp / (tp + fp) if tp + fp else -1.0
    bound, other = precision, tp / total
    if spec.objective == "recall":
        bound, other = other, bound
    return (other, bound) if bound >= (spec.target or 0) else None


@given(rows=ROWS, spec=SPECS, seed=st.integers(0, 99))
def test_no_cut_serves_a_spec_better(rows: Any, spec: ThresholdSpec, seed: int) -> None:
    if spec.objective not in {"cost", "precision", "recall"}:
        return
    y, p = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    w = np.random.default_rng(seed).integers(1, 4, len(y)).astype(np.float64)
    every_cut = {0.0, 1.0, *p.tolist(), *(p / 2).tolist(), *np.nextafter(p, 1).tolist()}
    goals = [goal(spec, y, p, w, cut) for cut in every_cut]
    reached = [value for value in goals if value is not None]
    if not reached:
        with pytest.raises(DataError, match="lower the target"):
            best_threshold(y, p, objective=spec, weights=w)
        return
    assert goal(spec, y, p, w, best_threshold(y, p, objective=spec, weights=w)) == max(reached)


@given(rows=ROWS, seed=st.integers(0, 99), objective=st.sampled_from(TUNED))
def test_a_weight_is_a_number_of_copies(rows: Any, seed: int, objective: str) -> None:
    y, p = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    w = np.random.default_rng(seed).integers(0, 4, len(y))
    w[[int(np.argmax(y)), int(np.argmin(y))]] = 2
    copied = best_threshold(np.repeat(y, w), np.repeat(p, w), objective=objective)
    assert best_threshold(y, p, objective=objective, weights=w) == copied


@given(spec=SPECS)
def test_a_spec_survives_its_own_words(spec: ThresholdSpec) -> None:
    assert ThresholdSpec.parse(str(spec)) == spec


@pytest.mark.parametrize("words", ["f1", "cost:5:1", "cost:0.5:1", "precision>=0.9", "0.4", "1"])
def test_words_survive_their_spec(words: str) -> None:
    assert str(ThresholdSpec.parse(words)) == words


def test_words_may_have_spaces() -> None:
    assert str(ThresholdSpec.parse(" recall >= 0.9 ")) == "recall>=0.9"


def test_a_fixed_threshold_needs_no_rows() -> None:
    assert best_threshold([], [], objective="0.4") == 0.4


def test_dear_false_alarms_raise_the_threshold() -> None:
    cheap = best_threshold(Y, P, objective="cost:1:5")
    dear = best_threshold(Y, P, objective="cost:5:1")
    assert (cheap, dear) == (pytest.approx(0.2), pytest.approx(0.65))


def test_the_closed_form_is_best_where_probabilities_are_true() -> None:
    p = np.repeat(np.linspace(0.07, 0.97, 10), 2)
    y, chance = np.tile([0.0, 1.0], 10), p.copy()
    weights = np.where(y == 1, chance, 1 - chance)
    spec = ThresholdSpec.parse("cost:3:1")
    assert calibrated_threshold(spec) == 0.75
    assert best_threshold(y, p, objective=spec, weights=weights) == pytest.approx(0.72)


def test_it_names_the_best_that_can_be_reached() -> None:
    y, p = [1, 0, 1, 0], [0.2, 0.9, 0.6, 0.4]
    with pytest.raises(DataError, match=r"precision>=0.9; the best precision .* is 0.5"):
        best_threshold(y, p, objective="precision>=0.9")
    assert best_threshold(y, p, objective="precision>=0.5") == pytest.approx(0.1)
    assert best_threshold(y, p, objective="recall>=1") == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("cost:1", "cannot read the threshold 'cost:1'"),
        ("cost:a:b", "cannot read the threshold"),
        ("precision>=x", "cannot read"),
        ("precision>=0.1>=2", "cannot read"),
        ("0.4.1", "cannot read"),
        ("f1>=0.5", "unknown threshold objective"),
        ("1.5", "threshold must lie between 0 and 1"),
        ("precision>=nan", "precision needs a target"),
        ("precision", "precision needs a target"),
        ("cost:0:0", "not both 0"),
        ("cost:-1:2", "not negative"),
        ("cost:inf:2", "finite"),
    ],
)
def test_it_refuses_words_that_mean_nothing(words: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ThresholdSpec.parse(words)


def test_it_refuses_a_target_nobody_asked_for() -> None:
    with pytest.raises(DataError, match="f1 takes no target"):
        ThresholdSpec("f1", target=0.5)


def test_the_curve_works() -> None:
    curve = threshold_curve(Y, P, spec=ThresholdSpec.parse("cost:5:1"))
    assert [point.threshold for point in curve] == pytest.approx([0.05, 0.2, 0.35, 0.65, 0.95])
    assert [point.recall for point in curve] == [1.0, 1.0, 0.5, 0.5, 0.0]
    assert [point.precision for point in curve] == [0.5, pytest.approx(2 / 3), 0.5, 1.0, None]
    assert [point.cost for point in curve] == [2.5, 1.25, 1.5, 0.25, 0.5]
    assert [point.share_positive for point in curve] == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert curve[-1].f1 == 0.0
    json.dumps([asdict(point) for point in curve], allow_nan=False)


@pytest.mark.parametrize("weights", [None, np.linspace(0, 2, 5000)])
def test_the_curve_stays_short_and_agrees_with_the_metrics(weights: Any) -> None:
    rng = np.random.default_rng(1)
    p = rng.random(5000)
    y = (rng.random(5000) < p).astype(np.float64)
    curve = threshold_curve(y, p, weights=weights)
    assert len(curve) == 200
    for point in curve[:-1:40]:
        report = evaluate_predictions(y, p, point.threshold, weights)
        found = (point.precision, point.recall, point.f1, point.cost)
        expected = (report.precision, report.recall, report.f1, 1 - report.accuracy)
        assert found == pytest.approx(expected, abs=1e-12)


def test_a_curve_of_one_point_is_refused() -> None:
    with pytest.raises(DataError, match="at least 2 points"):
        threshold_curve(Y, P, points=1)


@pytest.mark.parametrize("text", ["2", "-0.1", "1.5"])
def test_a_number_that_is_no_probability_is_shown(text: str) -> None:
    with pytest.raises(DataError, match=f"threshold must lie between 0 and 1, got {float(text)}"):
        ThresholdSpec.parse(text)


def test_an_objective_may_be_the_threshold_itself() -> None:
    assert best_threshold([0, 1], [0.2, 0.9], objective=0.4) == 0.4

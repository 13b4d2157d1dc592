from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore import DataError, best_threshold
from mlcore.thresholds import Objective

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


@pytest.mark.parametrize("objective", get_args(Objective))
@given(rows=ROWS)
def test_no_cut_is_better(objective: Objective, rows: list[tuple[bool, float]]) -> None:
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

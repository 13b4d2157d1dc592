from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from mlcore.errors import DataError
from mlcore.ranking import average_precision, mean_roc_auc, roc_auc

ROWS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 8), st.integers(0, 3)), min_size=2, max_size=30
).filter(lambda rows: len({label for label, _, weight in rows if weight}) == 2)


def test_it_works() -> None:
    y, scores = [0, 1, 0, 1], [0.1, 0.3, 0.3, 0.8]
    assert roc_auc(y, scores) == 0.875
    assert average_precision(y, scores) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


@given(rows=ROWS)
def test_the_area_is_the_share_of_won_pairs(rows: list[tuple[bool, int, int]]) -> None:
    y, s, w = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    up, down = y == 1, y == 0
    wins = (s[up][:, None] > s[down]) + 0.5 * (s[up][:, None] == s[down])
    expected = w[up] @ wins @ w[down] / (w[up].sum() * w[down].sum())
    assert roc_auc(y, s, w) == pytest.approx(expected, abs=1e-14)


@given(rows=ROWS)
def test_only_the_order_counts(rows: list[tuple[bool, int, int]]) -> None:
    y, s, w = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    assert roc_auc(y, np.exp(s), w) == roc_auc(y, s, w)
    assert average_precision(y, np.exp(s), w) == average_precision(y, s, w)
    assert roc_auc(1 - y, -s, w) == pytest.approx(roc_auc(y, s, w), abs=1e-14)


def test_rows_without_weight_do_not_count_even_on_top() -> None:
    assert average_precision([1, 1, 0], [0.9, 0.5, 0.2], [0, 1, 1]) == 1.0
    assert average_precision([0, 1, 0], [0.9, 0.5, 0.2], [0, 1, 1]) == 1.0


def test_without_positives_nothing_is_defined() -> None:
    assert roc_auc([0, 0], [0.1, 0.2]) is None
    assert average_precision([0, 0], [0.1, 0.2]) is None
    assert roc_auc([0, 1], [0.1, 0.2], [1, 0]) is None


def test_scores_need_not_be_probabilities_but_finite() -> None:
    assert roc_auc([0, 1], [-5.0, 7.0]) == 1.0
    with pytest.raises(DataError, match="row 1 has the score inf"):
        roc_auc([0, 1], [0.0, float("inf")])


def test_the_mean_over_classes_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(5)
    labels = np.arange(60) % 3
    P = rng.dirichlet([1.0, 2.0, 3.0], size=60)
    expected = roc_auc_score(labels, P, multi_class="ovr", average="macro")
    assert mean_roc_auc(labels, P) == pytest.approx(expected, abs=1e-14)
    assert mean_roc_auc(labels[labels < 2], P[labels < 2]) is None

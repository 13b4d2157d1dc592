from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import DataError
from mlcore.intervals import wilson
from mlcore.metrics import Confusion, evaluate_predictions
from mlcore.realised import realised_metrics, realised_share

COUNTS = st.builds(Confusion, *[st.integers(0, 300)] * 4)


def test_it_works() -> None:
    found = realised_metrics(Confusion(tn=90, fp=10, fn=20, tp=60))
    assert found["accuracy"].value == 150 / 180
    assert (found["precision"].low, found["precision"].high) == wilson(60, 70)
    assert (found["recall"].low, found["recall"].high) == wilson(60, 80)
    assert (found["specificity"].low, found["specificity"].high) == wilson(90, 100)
    assert found["f1"].value == 120 / 150
    assert {report.method for name, report in found.items() if name != "f1"} == {"wilson"}


def test_the_ends_of_f1_are_those_of_its_share_transformed() -> None:
    low, high = wilson(60, 90)
    found = realised_metrics(Confusion(tn=5, fp=10, fn=20, tp=60))["f1"]
    assert (found.low, found.high) == (2 * low / (1 + low), 2 * high / (1 + high))
    assert found.method == "wilson_indirect"


def test_the_interval_of_f1_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    truth = 2 * 0.2 / (2 * 0.2 + 0.1 + 0.05)
    held = 0
    for tn, fp, fn, tp in rng.multinomial(150, [0.65, 0.1, 0.05, 0.2], 2000).tolist():
        found = realised_metrics(Confusion(tn, fp, fn, tp))["f1"]
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high
    assert 0.935 < held / 2000 < 0.97


def test_another_level_gives_another_width() -> None:
    counts = Confusion(tn=90, fp=10, fn=20, tp=60)
    wide, narrow = (realised_metrics(counts, level)["f1"] for level in (0.99, 0.8))
    assert wide.low is not None
    assert narrow.low is not None
    assert wide.low < narrow.low


@pytest.mark.parametrize(
    ("counts", "undefined"),
    [
        (Confusion(0, 0, 0, 0), {"accuracy", "precision", "recall", "specificity", "f1"}),
        (Confusion(5, 0, 0, 0), {"precision", "recall", "f1"}),
        (Confusion(0, 0, 5, 0), {"precision", "specificity"}),
        (Confusion(0, 0, 0, 5), {"specificity"}),
        (Confusion(0, 5, 0, 0), {"recall"}),
    ],
)
def test_nothing_counted_is_none(counts: Confusion, undefined: set[str]) -> None:
    found = realised_metrics(counts)
    assert {name for name, report in found.items() if report.value is None} == undefined
    for name in undefined:
        assert (found[name].low, found[name].high) == (None, None)


@given(counts=COUNTS)
def test_values_lie_in_their_intervals_and_are_those_of_the_rows(counts: Confusion) -> None:
    cells = [(0, 0, counts.tn), (0, 1, counts.fp), (1, 0, counts.fn), (1, 1, counts.tp)]
    y = np.repeat([label for label, _, _ in cells], [n for _, _, n in cells])
    p = np.repeat([called for _, called, _ in cells], [n for _, _, n in cells])
    if not len(y):
        return
    report = evaluate_predictions(y, p.astype(float))
    for name, found in realised_metrics(counts).items():
        if found.value is None:
            assert name in report.undefined
            continue
        assert found.value == pytest.approx(getattr(report, name), abs=1e-12)
        assert found.low is not None
        assert found.high is not None
        assert 0 <= found.low <= found.value + 1e-15
        assert found.value - 1e-15 <= found.high <= 1


def test_a_share_of_any_number_of_classes() -> None:
    found = realised_share("accuracy", 157, 180)
    assert (found.low, found.high) == wilson(157, 180)


@pytest.mark.parametrize("bad", [-1, math.nan, math.inf])
def test_it_refuses_what_is_no_count(bad: float) -> None:
    with pytest.raises(DataError, match="a share needs"):
        realised_metrics(Confusion(tn=1, fp=bad, fn=1, tp=1))

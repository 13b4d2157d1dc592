"""The population stability index, checked against closed forms and against chance itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from mlcore import Column, ColumnProfile, DataError, Schema, build_profile
from mlcore.drift import adjusted, column_drift, psi, psi_p_value

COUNTS = st.lists(st.integers(0, 1000), min_size=2, max_size=12).filter(any)


def number_profile(values: np.ndarray) -> ColumnProfile:
    schema = Schema((Column("x", "number"),))
    columns = schema.read([[float(value)] for value in values])
    profile = build_profile(schema, columns, probabilities=np.full(len(values), 0.5), threshold=0.5)
    return profile.columns[0]


def category_profile(missing: int = 0, **counts: int) -> ColumnProfile:
    return ColumnProfile("colour", "category", missing, counts=tuple(counts.items()))


def test_it_works() -> None:
    rng = np.random.default_rng(1)
    column = number_profile(rng.normal(size=1000))
    still = column_drift(column, rng.normal(size=800).tolist(), n_rows=1000)
    moved = column_drift(column, (rng.normal(size=800) + 0.5).tolist(), n_rows=1000)
    assert still.psi < 0.05
    assert still.p_value > 0.01
    assert moved.psi > 0.2
    assert moved.p_value < 1e-6
    assert (moved.name, moved.rows, moved.missing, moved.unseen) == ("x", 800, 0, 0)


def test_equal_shares_have_no_shift() -> None:
    assert psi([10, 30], [10, 30]) == 0.0


@given(COUNTS)
def test_it_is_never_negative_and_the_same_both_ways(counts: list[int]) -> None:
    other = counts[::-1]
    assert psi(counts, other) >= 0
    assert psi(counts, other) == pytest.approx(psi(other, counts))


def test_without_smoothing_it_would_be_the_textbook_sum() -> None:
    before, now = np.array([400_000, 600_000]), np.array([500_000, 500_000])
    p, q = before / before.sum(), now / now.sum()
    assert psi(before, now) == pytest.approx(float(np.sum((p - q) * np.log(p / q))), rel=1e-5)


@pytest.mark.parametrize("counts", [[], [0, 0], [1, -1], [[1, 2]], ["a"], [1, np.nan], [np.inf]])
def test_it_refuses_what_no_counts_are(counts: list[object]) -> None:
    with pytest.raises(DataError):
        psi(counts, counts)  # type: ignore[arg-type]


def test_it_refuses_other_bins() -> None:
    with pytest.raises(DataError, match="2 bins cannot be compared with 3"):
        psi([1, 2], [1, 2, 3])


def test_rows_like_the_training_rarely_look_surprising() -> None:
    """At 200 rows the habit of 0.1 alone would cry wolf; the p value holds what it promises."""
    rng = np.random.default_rng(2)
    column = number_profile(rng.normal(size=720))
    found = [column_drift(column, rng.normal(size=100).tolist(), n_rows=720) for _ in range(300)]
    assert sum(report.psi >= 0.1 for report in found) > 60
    assert sum(report.p_value < 0.01 for report in found) <= 12


def test_one_bin_says_nothing() -> None:
    assert psi_p_value(0.0, 100, 100, 1) == 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_the_correction_agrees_with_scipy(p_values: list[float]) -> None:
    expected = false_discovery_control(np.array(p_values))
    assert adjusted(p_values) == pytest.approx(expected.tolist(), abs=1e-12)


def test_nothing_to_correct_is_fine() -> None:
    assert adjusted([]) == []


def test_values_beyond_the_training_count() -> None:
    column = number_profile(np.arange(100.0))
    report = column_drift(column, [1e9] * 100, n_rows=100)
    assert report.psi > 4
    assert column_drift(column, [-1e9] * 100, n_rows=100).psi > 4


def test_a_constant_column_notices_another_value_on_either_side() -> None:
    column = number_profile(np.full(50, 3.0))
    assert column_drift(column, [3.0] * 50, n_rows=50).psi == 0.0
    for value in (2.0, 4.0):
        assert column_drift(column, [value] * 50, n_rows=50).psi > 5


def test_a_column_of_few_values_is_compared_value_by_value() -> None:
    column = number_profile(np.array([0.0] * 60 + [1.0] * 40))
    same = column_drift(column, [0.0] * 60 + [1.0] * 40, n_rows=100)
    turned = column_drift(column, [0.0] * 40 + [1.0] * 60, n_rows=100)
    assert same.psi < 0.002
    # 0.2 ln(0.6 / 0.4) on both sides
    assert turned.psi == pytest.approx(0.162, abs=0.02)


def test_missing_values_have_a_bin() -> None:
    column = number_profile(np.arange(100.0))
    values: list[float | None] = [*np.arange(100.0).tolist(), *[None] * 100]
    report = column_drift(column, values, n_rows=100)
    assert report.missing == 100
    assert report.psi > 1


def test_missing_values_as_in_the_training_do_not_shift() -> None:
    column = category_profile(missing=50, dark=30, red=20)
    report = column_drift(column, [None] * 50 + ["dark"] * 30 + ["red"] * 20, n_rows=100)
    assert report.psi == 0.0


def test_new_levels_are_counted() -> None:
    column = category_profile(dark=50, red=50)
    report = column_drift(column, ["dark"] * 50 + ["red"] * 45 + ["blue"] * 5, n_rows=100)
    assert report.unseen == 5
    assert report.psi > 0.1


def test_a_level_that_nobody_has_changes_nothing() -> None:
    known, more = category_profile(dark=50, red=50), category_profile(dark=50, red=50, blue=0)
    live = ["dark"] * 60 + ["red"] * 40
    assert column_drift(known, live, n_rows=100) == column_drift(more, live, n_rows=100)


def test_texts_in_a_column_of_numbers_are_unseen() -> None:
    column = number_profile(np.arange(100.0))
    assert column_drift(column, ["red"] * 10, n_rows=100).unseen == 10


def test_it_refuses_no_rows() -> None:
    with pytest.raises(DataError, match="no rows to compare"):
        column_drift(category_profile(dark=1), [], n_rows=1)

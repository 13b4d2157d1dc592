"""Variance inflation and condition numbers against reference numbers and regressions."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mlcore import Table
from mlcore.collinearity import collinearity, collinearity_of_moments
from mlcore.errors import DataError
from tests.mlcore.problems import BREAST_CANCER_COLUMNS, breast_cancer_problem, raisin_problem

RAISIN_COLUMNS = ["Area", "Major", "Minor", "Eccentricity", "Convex", "Extent", "Perimeter"]


def test_it_works_on_raisins(raisin_table: Table) -> None:
    X, _ = raisin_problem(raisin_table)
    report = collinearity(X, RAISIN_COLUMNS)
    assert_allclose(
        [column.vif for column in report.columns],
        [404.7188, 129.1529, 40.1666, 5.2104, 445.9476, 1.6053, 184.2528],
        atol=6e-5,
    )
    assert report.condition_number == pytest.approx(69.1522, rel=1e-6)
    assert report.groups == ((0, 1, 2, 4, 6),)
    assert len(report.warnings) == 2
    assert report.warnings[0].startswith("Area, Major, Minor, Convex, Perimeter nearly follow")
    assert "69.2" in report.warnings[1]


def test_it_agrees_with_reference_numbers() -> None:
    X, _ = breast_cancer_problem(BREAST_CANCER_COLUMNS)
    report = collinearity(X)
    expected = [
        4.898041093435,
        1.174128255112,
        2.125222329869,
        5.137002739079,
        1.682209284518,
        3.719205111662,
    ]
    assert_allclose([column.vif for column in report.columns], expected, rtol=1e-8)
    assert report.condition_number == pytest.approx(5.4840756344, rel=1e-8)
    assert (report.groups, report.warnings) == ((), ())
    assert report.columns[2].name == "column 2"


def test_vif_is_that_of_the_regression_on_the_others() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4)) + 7
    report = collinearity(X)
    for j, column in enumerate(report.columns):
        others = np.column_stack((np.delete(X, j, axis=1), np.ones(200)))
        residual = X[:, j] - others @ np.linalg.lstsq(others, X[:, j], rcond=None)[0]
        assert column.vif == pytest.approx(X[:, j].var() / residual.var(), rel=1e-8)
    assert_allclose(report.correlation, np.corrcoef(X.T), rtol=1e-10)
    Z1 = np.column_stack(((X - X.mean(axis=0)) / X.std(axis=0), np.ones(200)))
    assert report.condition_number == pytest.approx(np.linalg.cond(Z1), rel=1e-8)


def test_the_moments_alone_are_enough() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 3)) * [1e-6, 1.0, 1e6] + 3
    whole = collinearity(X)
    moments = collinearity_of_moments(300, X.mean(axis=0), np.cov(X.T, bias=True))
    assert_allclose(
        [column.vif for column in whole.columns], [column.vif for column in moments.columns]
    )
    assert whole.condition_number == pytest.approx(moments.condition_number)
    assert whole.groups == moments.groups


def test_weights_count_rows() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 3))
    s = rng.integers(1, 4, size=40)
    weighted = collinearity(X, weights=s.astype(float))
    repeated = collinearity(np.repeat(X, s, axis=0))
    assert_allclose(
        [column.vif for column in weighted.columns], [column.vif for column in repeated.columns]
    )


def test_exact_copies_are_named_and_grouped() -> None:
    rng = np.random.default_rng(3)
    a, b, c, d = rng.normal(size=(4, 100))
    report = collinearity(np.column_stack((a, b, a + b, c, d)), ["a", "b", "sum", "c", "d"])
    assert [column.exact for column in report.columns] == [True, True, True, False, False]
    assert [column.vif is None for column in report.columns] == [True, True, True, False, False]
    assert report.groups == ((0, 1, 2),)
    assert report.condition_number is None
    assert report.warnings == ("a, b, sum repeat each other exactly: drop one, or use lambda_ > 0",)
    alone = collinearity(np.column_stack((a, b, c, d)))
    assert report.columns[3].vif == pytest.approx(alone.columns[2].vif, rel=1e-8)


def test_the_levels_of_each_category_form_one_group() -> None:
    rng = np.random.default_rng(4)
    colour, size = rng.integers(0, 4, 500), rng.integers(0, 3, 500)
    dummies = [colour == k for k in range(4)] + [size == k for k in range(3)]
    X = np.column_stack([*dummies, rng.normal(size=500)]).astype(float)
    assert collinearity(X).groups == ((0, 1, 2, 3), (4, 5, 6))


def test_a_near_sum_is_grouped_though_no_pair_correlates() -> None:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(400, 6))
    X[:, 5] = X[:, :4].sum(axis=1) + 0.05 * rng.normal(size=400)
    report = collinearity(X)
    largest = max(abs(r or 0.0) for row in report.correlation for r in row if r != 1.0)
    assert largest < 0.9
    assert report.groups == ((0, 1, 2, 3, 5),)
    assert not any(column.exact for column in report.columns)


def test_a_constant_column_stands_outside() -> None:
    rng = np.random.default_rng(6)
    X = rng.normal(size=(50, 3))
    X[:, 1] = 0.1
    report = collinearity(X)
    assert report.columns[1].constant
    assert report.columns[1].vif is None
    assert report.correlation[1] == (None, None, None)
    assert report.correlation[0][1] is None
    assert report.columns[0].vif == pytest.approx(collinearity(X[:, [0, 2]]).columns[0].vif)
    nothing = collinearity(np.ones((5, 2)))
    assert (nothing.groups, nothing.condition_number) == ((), 1.0)


def test_reports_are_json() -> None:
    X = np.random.default_rng(7).normal(size=(30, 3))
    X[:, 2] = X[:, 0]
    json.dumps(dataclasses.asdict(collinearity(X)), allow_nan=False)


def test_it_refuses_what_does_not_fit() -> None:
    with pytest.raises(DataError, match="covariance"):
        collinearity_of_moments(9, np.zeros(2), np.eye(3))
    with pytest.raises(DataError, match="covariance"):
        collinearity_of_moments(9, np.zeros((2, 2)), np.eye(2))
    with pytest.raises(DataError, match="names"):
        collinearity_of_moments(9, np.zeros(2), np.eye(2), ["a"])
    with pytest.raises(DataError, match="b has a mean or covariance that is not finite"):
        collinearity_of_moments(9, np.array([0.0, np.nan]), np.eye(2), ["a", "b"])

from __future__ import annotations

import json

import numpy as np
import pytest

from mlcore import Column, Profile, Schema, TrainingResult, build_profile
from mlcore.profile import Bins, ColumnProfile, Tails, score_profile
from tests.mlcore.classifiers import classifier, logistic, softmax, some_rows

SCHEMA = Schema(
    (Column("a", "number", fill=99.0), Column("c", "category", ("x", "y", "z"), fill="x"))
)


def profile_of(rows: list[list[object]], probabilities: list[float]) -> Profile:
    return build_profile(
        SCHEMA, SCHEMA.read(rows), probabilities=np.array(probabilities), threshold=0.5
    )


def test_it_works() -> None:
    rows: list[list[object]] = [[0.0, "x"], [10.0, "y"], [None, "y"], [20.0, None]]
    profile = profile_of(rows, [0.0, 0.04, 0.5, 1.0])
    number, category = profile.columns
    assert profile.n_rows == 4
    assert (number.missing, number.mean, number.minimum, number.maximum) == (1, 10.0, 0.0, 20.0)
    assert number.sd == pytest.approx(np.sqrt(200 / 3))
    assert len(number.quantiles) == 1001
    assert [number.quantile(p) for p in (0.0, 0.333, 0.334, 0.667, 1.0)] == [0, 0, 10, 20, 20]
    assert number.deciles == Bins((0.0, 10.0, 20.0), (1, 1, 1, 0))
    assert number.tails == Tails(0, 0.0, 0, 0.0)
    assert (category.missing, category.counts) == (1, (("x", 1), ("y", 2), ("z", 0)))
    assert profile.scores.histogram == (2, *[0] * 9, 1, *[0] * 8, 1)
    assert profile.scores.positive_rate == 0.5
    assert profile.scores.quantiles[-1] == 1.0
    assert profile.scores.mean == pytest.approx(0.385)
    assert profile.class_counts == ()


def test_it_survives_json(trained_mixed: TrainingResult) -> None:
    profile = trained_mixed.classifier.profile
    text = json.dumps(profile.to_dict(), allow_nan=False)
    assert Profile.from_dict(json.loads(text)) == profile


def test_it_counts_every_training_row(trained_mixed: TrainingResult) -> None:
    profile = trained_mixed.classifier.profile
    assert profile.n_rows == trained_mixed.n_train
    assert sum(profile.scores.histogram) == profile.n_rows
    colour = profile.columns[2]
    assert colour.missing + sum(count for _, count in colour.counts) == profile.n_rows
    assert colour.missing > 0


def test_three_classes_are_summarised_by_what_was_predicted() -> None:
    made = classifier(softmax(3))
    scores = made.profile.scores
    report = made.score(some_rows(made.schema.columns))
    assert scores.positive_rate is None
    shares = [report.labels.count(name) / 60 for name in made.classes]
    assert scores.class_rates == pytest.approx(shares)
    assert sum(scores.histogram) == 60
    assert scores.quantiles[-1] == report.confidence.max()
    assert Profile.from_dict(made.profile.to_dict()) == made.profile


def test_two_columns_of_probabilities_are_those_of_two_classes() -> None:
    made = classifier(logistic(3))
    report = made.score(some_rows(made.schema.columns))
    assert score_profile(report.probabilities, 0.5) == score_profile(report.positive, 0.5)
    assert "class_rates" not in made.profile.to_dict()["scores"]


def column_of(values: np.ndarray) -> ColumnProfile:
    schema = Schema((Column("x", "number"),))
    half = np.full(len(values), 0.5)
    columns = schema.read_matrix(values[:, np.newaxis])
    return build_profile(schema, columns, probabilities=half, threshold=0.5).columns[0]


@pytest.mark.parametrize("n", [1, 2, 7, 720, 1000, 1001, 5000])
def test_quantiles_are_the_inverted_distribution_function_in_whole_numbers(n: int) -> None:
    values = np.random.default_rng(n).normal(size=n)
    found, ordered = column_of(values).quantiles, np.sort(values)
    for k in (0, 1, 7, 100, 333, 500, 999, 1000):
        rank = max(-(-k * n // 1000), 1)
        assert found[k] == ordered[rank - 1]
    assert set(found) <= set(values.tolist())


def test_quantiles_are_those_of_numpy() -> None:
    values = np.random.default_rng(3).normal(size=1024)  # k / 1000 n has no rounding at 125 k
    expected = np.quantile(values, np.arange(0, 1001, 125) / 1000, method="inverted_cdf")
    assert column_of(values).quantiles[::125] == tuple(expected.tolist())


def test_deciles_count_every_row_once() -> None:
    values = np.random.default_rng(4).normal(size=997)
    deciles = column_of(values).deciles
    assert deciles is not None
    for k, edge in enumerate(deciles.edges):
        assert sum(deciles.counts[: k + 1]) == np.sum(values <= edge)
    assert sum(deciles.counts) == 997


def test_tails_are_what_no_quantile_tells() -> None:
    values = np.random.default_rng(5).standard_t(2, size=20_000)
    column = column_of(values)
    assert column.tails is not None
    below, above = values[values < column.quantiles[1]], values[values > column.quantiles[-2]]
    assert (column.tails.below, column.tails.above) == (len(below), len(above)) == (19, 20)
    assert column.tails.below_sum == pytest.approx(below.sum(), rel=1e-12)
    assert column.tails.above_sum == pytest.approx(above.sum(), rel=1e-12)


def test_a_wide_table_has_a_coarser_grid() -> None:
    schema = Schema(tuple(Column(f"x{k}", "number") for k in range(51)))
    columns = schema.read_matrix(np.random.default_rng(6).normal(size=(300, 51)))
    profile = build_profile(
        schema, columns, probabilities=np.full(300, 0.5), threshold=0.5, labels=np.arange(300) % 2
    )
    assert {len(column.quantiles) for column in profile.columns} == {101}
    assert profile.class_counts == (150, 150)
    assert profile.is_detailed
    assert Profile.from_dict(profile.to_dict()) == profile

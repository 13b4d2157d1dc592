"""Response curves: one column moves over its training range, the others stay typical."""

from __future__ import annotations

import numpy as np
import pytest

from endpoints.errors import InvalidRequest
from endpoints.services.response_curve import response_curve, strongest_column, typical_row
from mlcore.classifier import Classifier
from mlcore.encoding import Encoder
from mlcore.estimators import Logistic
from mlcore.profile import build_profile
from mlcore.schema import Column, Schema
from tests.mlcore.classifiers import MIXED, Squared, classifier, logistic, some_rows, stump


def of_rows(
    columns: tuple[Column, ...], rows: list[list[object]], weights: list[float]
) -> Classifier:
    schema = Schema(columns)
    read = schema.read(rows)
    encoder, estimator = Encoder.fit(schema, read), Logistic(np.array(weights), 0.25)
    probabilities = estimator.probabilities(estimator.scores(encoder.transform(read)))
    profile = build_profile(schema, read, probabilities=probabilities, threshold=0.5)
    return Classifier("Class", ("no", "yes"), schema, encoder, estimator, 0.5, profile, True)


def test_it_works() -> None:
    model = classifier(logistic(3))
    curve = response_curve(model, "Area")
    low, high = (model.profile.columns[0].quantile(p) for p in (0.01, 0.99))
    assert (curve.values[0], curve.values[-1]) == (low, high)
    assert curve.probabilities.shape == (len(curve.values), 2)
    assert len(curve.deciles) == 9


def test_every_point_is_what_the_model_answers() -> None:
    model = classifier(columns=MIXED)
    curve = response_curve(model, "Area")
    for place in (0, 60, 120):
        row = curve.typical | {"Area": curve.values[place]}
        found = model.score_row(row).probabilities
        assert curve.probabilities[place] == pytest.approx(found, abs=1e-12)


def test_the_others_are_medians_and_the_most_frequent_level() -> None:
    rows: list[list[object]] = [[1.0, 9.0, "red"], [2.0, 9.0, "red"], [30.0, 9.0, "dark"]]
    columns = (
        Column("a", "number"),
        Column("b", "number"),
        Column("c", "category", ("dark", "red")),
    )
    model = of_rows(columns, rows, [1.0, 0.0, 0.5, -0.5])
    assert typical_row(model) == {"a": 2.0, "b": 9.0, "c": "red"}
    assert response_curve(model, "a").typical == {"b": 9.0, "c": "red"}


def test_a_category_has_one_value_a_level() -> None:
    model = classifier(columns=MIXED)
    curve = response_curve(model, "Colour")
    assert curve.values == ("dark", "gold", "red")
    assert curve.probabilities.shape == (3, 3)
    assert curve.deciles == ()


def test_a_column_that_was_constant_in_training_has_one_value() -> None:
    columns = (Column("a", "number"), Column("b", "number"))
    model = of_rows(columns, [[1.0, 5.0], [2.0, 5.0]], [1.0, 0.0])
    assert response_curve(model, "b").values == (5.0,)


def test_a_column_that_hardly_ever_moves_shows_its_whole_range() -> None:
    rows: list[list[object]] = [[5.0]] * 500 + [[6.0]]
    model = of_rows((Column("a", "number"),), rows, [1.0])
    curve = response_curve(model, "a")
    assert (curve.values[0], curve.values[-1]) == (5.0, 6.0)


def test_a_model_of_one_column_has_no_others() -> None:
    model = of_rows((Column("a", "number"),), [[1.0], [2.0]], [1.0])
    assert response_curve(model, None).typical == {}


def test_the_calibrated_probability_is_the_one_that_is_shown() -> None:
    plain = classifier(logistic(3))
    squared = classifier(logistic(3), calibration=Squared())
    expected = response_curve(plain, "Area").probabilities[:, 1] ** 2
    assert response_curve(squared, "Area").probabilities[:, 1] == pytest.approx(expected)


def test_the_strongest_column_has_the_largest_weight_a_standard_deviation() -> None:
    rows: list[list[object]] = [[0.0, 0.0], [1.0, 1000.0]]
    model = of_rows((Column("a", "number"), Column("b", "number")), rows, [0.5, -2.0])
    assert strongest_column(model) == response_curve(model, None).column.name == "b"


def test_of_trees_it_is_the_one_they_ask_first() -> None:
    assert strongest_column(classifier(stump())) == "Extent"


def test_it_refuses_a_column_that_the_model_does_not_have() -> None:
    with pytest.raises(InvalidRequest) as caught:
        response_curve(classifier(), "aera")
    assert 'did you mean "Area"' in caught.value.message
    assert "Area, Extent, Perimeter" in caught.value.message
    assert caught.value.cells[0].column == "feature"


def test_rows_of_the_training_are_where_it_runs() -> None:
    model = classifier(columns=MIXED)
    values = [float(row[0]) for row in some_rows(MIXED)]
    curve = response_curve(model, "Area")
    assert min(values) <= float(curve.values[0]) < float(curve.values[-1]) <= max(values)

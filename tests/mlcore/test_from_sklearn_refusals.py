"""What cannot be repeated exactly is refused, and the refusal names the step and the way out."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from mlcore.errors import DataError, SchemaError
from mlcore.from_sklearn import classifier_from_sklearn
from tests.mlcore.sklearn_cases import frame, inputs, rows_of, table_of

SCALED = ["Area", "Offset"]


def refused(model: Any, data: pd.DataFrame, message: str, **settings: Any) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        classifier_from_sklearn(model, table_of(data), **{"target": "Class", **settings})


def on_numbers(step: Any, model: Any = None) -> Pipeline:
    """A pipeline whose step "prep" works on two numbers alone."""
    prep = ColumnTransformer([("part", step, SCALED)])
    return Pipeline([("prep", prep), ("model", LogisticRegression() if model is None else model)])


def on_colours(step: Any) -> Pipeline:
    prep = ColumnTransformer([("part", step, ["Colour"])])
    return Pipeline([("prep", prep), ("model", LogisticRegression())])


PART = 'step "prep" (ColumnTransformer), step "part"'

STEPS: list[tuple[str, Pipeline]] = [
    (
        f"{PART}: MinMaxScaler cannot be converted; supported are ColumnTransformer, Func",
        on_numbers(MinMaxScaler()),
    ),
    (f"{PART} (FunctionTransformer) calls a function", on_numbers(FunctionTransformer(np.abs))),
    (f"{PART} (SimpleImputer) has add_indicator", on_numbers(SimpleImputer(add_indicator=True))),
    (f"{PART} (SimpleImputer) takes -1 for missing", on_numbers(SimpleImputer(missing_values=-1))),
    (
        f'{PART} (Pipeline), step "simpleimputer" (SimpleImputer) comes after a scaler',
        on_numbers(make_pipeline(StandardScaler(), SimpleImputer())),
    ),
    (
        'step "standardscaler-2" (StandardScaler): column "Area" is scaled twice',
        on_numbers(make_pipeline(StandardScaler(), StandardScaler())),
    ),
    (
        'step "onehotencoder" (OneHotEncoder): column "Area" was scaled or encoded before',
        on_numbers(make_pipeline(StandardScaler(), OneHotEncoder(handle_unknown="ignore"))),
    ),
    (
        'column "Colour" was scaled or encoded before',
        on_colours(make_pipeline(OneHotEncoder(sparse_output=False), OneHotEncoder())),
    ),
    (f"{PART} (OneHotEncoder) groups rare categories", on_colours(OneHotEncoder(max_categories=2))),
    (f'{PART} (OneHotEncoder), column "Area" knows the value', on_numbers(OneHotEncoder())),
    (
        "(ColumnTransformer) has transformer_weights",
        make_pipeline(
            ColumnTransformer([("n", StandardScaler(), SCALED)], transformer_weights={"n": 2.0}),
            LogisticRegression(),
        ),
    ),
    (
        'column "Area" reaches the model in more than one way',
        make_pipeline(
            ColumnTransformer([("n", StandardScaler(), SCALED), ("m", "passthrough", ["Area"])]),
            LogisticRegression(),
        ),
    ),
    (
        'column "Grade" reaches the model in more than one way',
        make_pipeline(
            ColumnTransformer([("n", OneHotEncoder(), ["Grade"]), ("m", "passthrough", ["Grade"])]),
            LogisticRegression(),
        ),
    ),
    (
        'step "model": GradientBoostingClassifier cannot',
        on_numbers("passthrough", GradientBoostingClassifier()),
    ),
]


@pytest.mark.parametrize(("message", "model"), STEPS)
def test_a_step_that_it_cannot_repeat(message: str, model: Pipeline) -> None:
    data = frame()
    model.fit(inputs(data), data["Class"])
    refused(model, data, message)


def test_rare_categories_may_be_allowed_for_without_being_there() -> None:
    data = frame()
    model = on_colours(OneHotEncoder(min_frequency=2)).fit(inputs(data), data["Class"])
    classifier = classifier_from_sklearn(model, table_of(data), target="Class")
    found = classifier.score(rows_of(data, classifier.schema)).positive
    assert found == pytest.approx(model.predict_proba(inputs(data))[:, 1], abs=1e-12)


def test_a_model_alone_that_is_not_supported() -> None:
    data = frame()[[*SCALED, "Class"]]
    model = GradientBoostingClassifier(n_estimators=2).fit(inputs(data), data["Class"])
    message = (
        "the model: GradientBoostingClassifier cannot be converted; supported are DecisionTree"
    )
    refused(model, data, message)


def test_a_pipeline_without_a_model() -> None:
    only = Pipeline([("only", "passthrough")])
    refused(only, frame(), 'step "only": str cannot be converted')


def test_a_model_that_was_never_fitted() -> None:
    data = frame()
    refused(
        LogisticRegression(), data, "LogisticRegression has no classes_: fit it", columns=SCALED
    )
    unfitted = on_numbers(StandardScaler())
    with pytest.raises(NotFittedError):
        unfitted.predict(inputs(data))
    refused(unfitted, data, 'step "prep" (ColumnTransformer) has no transformers_: fit it')


def test_a_step_that_was_fitted_on_other_columns() -> None:
    data = frame()
    two = StandardScaler().fit(data[SCALED].to_numpy())
    model = LogisticRegression().fit(data[SCALED].to_numpy(), data["Class"])
    pipeline = Pipeline([("scale", two), ("model", model)])
    message = 'step "scale" (StandardScaler) was fitted on 2 columns, not on 1'
    refused(pipeline, data, message, columns=["Area"])
    refused(model, data, "LogisticRegression was fitted on 2 columns, not on 1", columns=["Area"])


def test_categories_that_hold_a_missing_value() -> None:
    data = frame(holes=True)
    model = on_colours(OneHotEncoder()).fit(inputs(data), data["Class"])
    refused(model, data, 'column "Colour" knows the value nan; only texts, whole numbers')


def test_a_column_without_any_value() -> None:
    data = frame()
    data["Area"] = np.nan
    model = on_numbers(SimpleImputer(keep_empty_features=True))
    model.fit(inputs(data), data["Class"])
    model[0].named_transformers_["part"].statistics_[0] = np.nan
    refused(model, data, 'found no value in column "Area"; leave it out')


def test_missing_cells_that_no_step_fills_are_named_by_line() -> None:
    data = frame(holes=True)[["Area", "Extent", "Class"]]
    model = DecisionTreeClassifier(max_depth=2).fit(inputs(data), data["Class"])
    first = int(np.flatnonzero(data["Extent"].isna())[0]) + 2
    message = f"line {first}, column Extent: the model fills no missing value here; put a Simple"
    refused(model, data.assign(Class=data["Class"]), message)


def test_trees_that_ask_whether_a_value_is_missing() -> None:
    data = frame()[["Area", "Extent", "Class"]]
    data["Extent"] = np.where(data["Class"] == "yes", np.nan, 0.5)
    model = DecisionTreeClassifier().fit(inputs(data), data["Class"])
    refused(model, data, "DecisionTreeClassifier splits on whether a value is missing")


def test_trees_that_are_no_trees() -> None:
    data = frame()[["Extent", "Class"]]
    model = DecisionTreeClassifier(max_depth=2).fit(inputs(data), data["Class"])
    names = ("node_count", "children_left", "children_right", "feature", "threshold", "value")
    broken = SimpleNamespace(**{name: getattr(model.tree_, name) for name in names})
    broken.children_left = np.where(broken.children_left == 1, 0, broken.children_left)
    kind = type("DecisionTreeClassifier", (SimpleNamespace,), {})
    fake = kind(tree_=broken, classes_=model.classes_, n_features_in_=1)
    refused(fake, data, "DecisionTreeClassifier cannot be kept: not a forest: a child does not")


def test_a_level_the_encoder_never_met() -> None:
    data = frame()
    model = on_colours(OneHotEncoder()).fit(inputs(data), data["Class"])
    other = data.assign(Colour=data["Colour"].where(data.index > 0, "pink"))
    refused(model, other, "line 2, column Colour: expected one of dark, golden, red, got 'pink'")
    classifier = classifier_from_sklearn(model, table_of(data), target="Class")
    with pytest.raises(SchemaError, match="column Colour: expected one of"):
        classifier.score([["pink"]])


def test_several_targets_at_once() -> None:
    data = frame()[[*SCALED, "Class"]]
    both = np.column_stack([data["Class"], data["Class"]])
    model = DecisionTreeClassifier().fit(inputs(data), both)
    refused(model, data, "DecisionTreeClassifier predicts several targets at once")


def test_a_single_class() -> None:
    data = frame()[[*SCALED, "Class"]]
    model = DecisionTreeClassifier().fit(inputs(data), ["yes"] * len(data))
    refused(model, data, "DecisionTreeClassifier knows a single class")


def test_classes_that_are_not_those_of_the_table() -> None:
    data = frame()[[*SCALED, "Class"]]
    model = DecisionTreeClassifier().fit(inputs(data), data["Class"].str.upper())
    refused(model, data, 'the model knows the classes NO, YES, but "Class" holds no, yes')


def test_classes_that_no_text_can_name() -> None:
    data = frame()[[*SCALED, "Class"]]
    model = DecisionTreeClassifier().fit(inputs(data), data["Class"])
    model.classes_ = np.array([b"no", b"yes"])
    refused(model, data, "DecisionTreeClassifier knows the value b'no'; only texts")


def test_one_class_against_the_rest() -> None:
    data = frame(n_classes=3)[["Extent", "Class"]]
    model = LogisticRegression().fit(inputs(data), data["Class"])
    model.multi_class = "ovr"
    refused(model, data, "LogisticRegression fits one class against the rest")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": 1.5}, "threshold must lie between 0 and 1, got 1.5"),
        ({"threshold": "f1"}, "threshold must be a number here, got f1"),
        ({"threshold": float("nan")}, "threshold must lie between 0 and 1"),
        ({"positive": "maybe"}, '"maybe" is no class of "Class"'),
        ({"target": "Klass"}, 'there is no column "Klass"'),
        ({"target": "Area"}, '"Area" is the target; it cannot be a feature column too'),
        (
            {"columns": ["Area"]},
            "the model was fitted on the columns Area, Offset; leave columns out",
        ),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, Any], message: str) -> None:
    data = frame()[[*SCALED, "Class"]]
    model = DecisionTreeClassifier(max_depth=2).fit(inputs(data), data["Class"])
    refused(model, data, message, **settings)


def test_a_positive_class_among_three() -> None:
    data = frame(n_classes=3)[[*SCALED, "Class"]]
    model = DecisionTreeClassifier(max_depth=2).fit(inputs(data), data["Class"])
    refused(
        model, data, '"Class" has 3 classes (low, mid, top); none is the positive', positive="low"
    )


def test_no_column_reaches_the_model() -> None:
    data = frame()
    nothing = ColumnTransformer([("none", "drop", SCALED)])
    model = Pipeline([("prep", nothing.fit(inputs(data))), ("model", LogisticRegression())])
    refused(model, data, "no column of the table reaches the model")


def test_columns_that_are_chosen_oddly() -> None:
    data = frame()
    model = on_numbers(StandardScaler()).fit(inputs(data), data["Class"])
    for odd in (["Nowhere"], [17], [None]):
        model[0].transformers_[0] = ("part", model[0].transformers_[0][1], odd)
        refused(model, data, f'step "prep" (ColumnTransformer): the columns {odd} are not')


def test_a_scaler_that_holds_no_numbers() -> None:
    data = frame()
    model = on_numbers(StandardScaler()).fit(inputs(data), data["Class"])
    model[0].named_transformers_["part"].mean_ = ["large", 1.0]
    refused(model, data, f"{PART} (StandardScaler) holds something other than numbers")


LIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "a little": lambda p: p + np.array([1e-11, -1e-11]),
    "swapped": lambda p: p[:, ::-1],
    "of one class alone": lambda p: p[:, 1],
    "not a number": lambda p: p * np.nan,
}


@pytest.mark.parametrize("lie", LIES)
def test_a_model_that_answers_otherwise(lie: str) -> None:
    class Odd(DecisionTreeClassifier):
        def predict_proba(self, X: Any, check_input: bool = True) -> Any:
            return LIES[lie](super().predict_proba(X))

    Odd.__name__ = "DecisionTreeClassifier"
    data = frame()[[*SCALED, "Class"]]
    model = Odd(max_depth=2).fit(inputs(data), data["Class"])
    shape = "the model gives probabilities of shape (120,), not (120, 2)"
    other = "the model does something that its class name and fitted attributes do not tell"
    refused(model, data, shape if lie == "of one class alone" else other)


def test_a_model_that_cannot_answer() -> None:
    data = frame()[[*SCALED, "Class"]]
    model = RandomForestClassifier(n_estimators=2).fit(inputs(data), data["Class"])
    model.estimators_[0].n_features_in_ = 5
    refused(model, data, "the model cannot score the rows of grains: X has 2 features")


def test_a_frame_cannot_be_made_without_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    data = frame()[[*SCALED, "Class"]]
    model = DecisionTreeClassifier(max_depth=2).fit(inputs(data), data["Class"])
    table = table_of(data)
    monkeypatch.delitem(sys.modules, "pandas")
    with pytest.raises(DataError, match="import pandas first, or fit the model on an array"):
        classifier_from_sklearn(model, table, target="Class")


def test_a_look_alike_needs_nothing_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model is what its attributes say; even its settings and library may be unknown."""
    from mlcore.from_sklearn import provenance_of

    table = table_of(frame()[["Extent", "Class"]])
    kind = type("LogisticRegression", (SimpleNamespace,), {"predict_proba": _linear})
    model = kind(
        classes_=np.array(["no", "yes"]),
        coef_=np.array([[0.5]]),
        intercept_=np.array([0.1]),
        n_features_in_=1,
    )
    classifier = classifier_from_sklearn(model, table, target="Class")
    monkeypatch.delitem(sys.modules, "sklearn")
    found = provenance_of(model, classifier, table)
    assert found.spec == {"model": "LogisticRegression", "settings": {}}
    assert set(found.versions) == {"python", "numpy"}


def _linear(model: Any, X: np.ndarray) -> np.ndarray:
    p = 1 / (1 + np.exp(-(X @ model.coef_[0] + model.intercept_[0])))
    return np.column_stack([1 - p, p])

"""Fitted scikit-learn models as classifiers: the same probabilities to 1e-12, or a refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from mlcore import Table, artifact, evaluate, synthetic_raisin
from mlcore.classifier import Classifier
from mlcore.errors import SchemaError
from mlcore.explain import drift_impact
from mlcore.from_sklearn import bundle_from_sklearn, classifier_from_sklearn
from tests.mlcore.sklearn_cases import frame, inputs, rows_of, table_of

MODELS = {
    "logistic": LogisticRegression(solver="newton-cholesky"),
    "balanced": LogisticRegression(solver="newton-cholesky", class_weight="balanced", C=0.01),
    "tree": DecisionTreeClassifier(max_depth=5, random_state=1),
    "forest": RandomForestClassifier(n_estimators=20, random_state=1, class_weight="balanced"),
    "extra": ExtraTreesClassifier(n_estimators=20, min_samples_leaf=3, random_state=1),
}
NUMBERS = ["Area", "Extent", "Offset"]


def prepared(colour: Any = None, *, scaler: Any = None, imputer: Any = None) -> ColumnTransformer:
    """Numbers filled and scaled; colours and grades filled and one-hot; in another order."""
    one_hot = colour or OneHotEncoder()
    filled = make_pipeline(SimpleImputer(strategy="most_frequent"), one_hot)
    number = make_pipeline(imputer or SimpleImputer(strategy="median"), scaler or StandardScaler())
    return ColumnTransformer(
        [("colours", filled, ["Colour"]), ("numbers", number, NUMBERS)],
        remainder=OneHotEncoder(),
    )


PREPARATIONS = {
    "all": prepared(),
    "first level dropped": prepared(OneHotEncoder(drop="first", sparse_output=False)),
    "unknown ignored": prepared(OneHotEncoder(handle_unknown="ignore", drop="if_binary")),
    "one level of a list dropped": prepared(OneHotEncoder(drop=["golden"])),
    "centred": prepared(scaler=StandardScaler(with_std=False)),
    "divided": prepared(scaler=StandardScaler(with_mean=False)),
    "neither": prepared(scaler=StandardScaler(with_mean=False, with_std=False)),
    "mean": prepared(imputer=SimpleImputer(strategy="mean")),
    "constant": prepared(imputer=SimpleImputer(strategy="constant", fill_value=-1.5)),
    "remainder dropped": ColumnTransformer(
        [("n", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS), ("out", "drop", [2])]
    ),
    "passed through": ColumnTransformer(
        [("filled", SimpleImputer(), ["Extent"]), ("out", "drop", ["Colour"])],
        remainder="passthrough",
    ),
    "scaled after encoding": make_pipeline(
        prepared(scaler=FunctionTransformer()), StandardScaler(with_mean=False)
    ),
    "imputed again": Pipeline(
        [("a", prepared()), ("b", None), ("c", "passthrough"), ("d", SimpleImputer())]
    ),
}


def same(model: Any, data: pd.DataFrame, **settings: Any) -> Classifier:
    """Convert, then compare every row through the schema, as a request would come."""
    classifier = classifier_from_sklearn(model, table_of(data), target="Class", **settings)
    report = classifier.score(rows_of(data, classifier.schema))
    order = [model.classes_.tolist().index(label) for label in classifier.classes]
    expected = model.predict_proba(inputs(data))[:, order]
    assert report.probabilities == pytest.approx(expected, abs=1e-12)
    base = classifier.estimator.base
    assert base + report.contributions.sum(axis=2) == pytest.approx(report.scores, abs=1e-9)
    assert np.ptp(report.probabilities) > 0.1, "a model that answers the same to all proves nothing"
    return classifier


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("preparation", PREPARATIONS)
def test_it_answers_as_the_pipeline(preparation: str, model: str, n_classes: int) -> None:
    data = frame(n_classes=n_classes, holes=True)
    steps = clone(PREPARATIONS[preparation]), clone(MODELS[model])
    pipeline = make_pipeline(*steps).fit(inputs(data), data["Class"])
    same(pipeline, data)


@pytest.mark.parametrize("model", MODELS)
def test_the_model_may_stand_alone(model: str) -> None:
    data = frame(n_classes=4)[[*NUMBERS, "Class"]]
    same(clone(MODELS[model]).fit(inputs(data), data["Class"]), data)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_classes=st.integers(2, 4),
    depth=st.none() | st.integers(1, 8),
    holes=st.booleans(),
    family=st.sampled_from([RandomForestClassifier, ExtraTreesClassifier]),
)
def test_so_does_any_forest(
    seed: int, n_classes: int, depth: int | None, holes: bool, family: type
) -> None:
    data = frame(n=50, n_classes=n_classes, seed=seed, holes=holes)
    forest = family(n_estimators=4, max_depth=depth, random_state=seed)
    same(make_pipeline(prepared(), forest).fit(inputs(data), data["Class"]), data)


def test_the_real_grains(raisin_table: Table) -> None:
    names = [name for name in raisin_table.header if name != "Class"]
    X = np.array([[float(cell) for cell in raisin_table.cells(name)] for name in names]).T
    forest = RandomForestClassifier(random_state=7).fit(X, raisin_table.cells("Class"))
    classifier = classifier_from_sklearn(forest, raisin_table, target="Class")
    assert classifier.classes == ("Kecimen", "Besni")
    ours = classifier.score(X.tolist()).probabilities[:, ::-1]
    assert ours == pytest.approx(forest.predict_proba(X), abs=1e-12)


@pytest.mark.parametrize(
    "labels",
    [["no", "yes"], [0, 1], [False, True], [7, 10]],
    ids=lambda pair: type(pair[0]).__name__,
)
@pytest.mark.parametrize("positive", [0, 1])
def test_either_class_may_be_positive(labels: list[Any], positive: int) -> None:
    data = frame()
    data["Class"] = np.where(data["Class"] == "yes", labels[1], labels[0])
    for model in (MODELS["logistic"], MODELS["tree"]):
        pipeline = make_pipeline(prepared(), clone(model)).fit(inputs(data), data["Class"])
        table = table_of(data)
        label = str(labels[positive])
        classifier = classifier_from_sklearn(pipeline, table, target="Class", positive=label)
        assert classifier.classes == (str(labels[1 - positive]), label)
        report = classifier.score(rows_of(data, classifier.schema))
        expected = pipeline.predict_proba(inputs(data))[:, positive]
        assert report.positive == pytest.approx(expected, abs=1e-12)


def test_without_a_wish_the_positive_class_is_that_of_train() -> None:
    data = frame()
    data["Class"] = np.where(data.index < 80, "ripe", "green")
    assert same(fitted_pipeline(data), data).classes == ("ripe", "green")


def test_three_classes_are_in_alphabetical_order() -> None:
    data = frame(n_classes=3)
    data["Class"] = data["Class"].map({"low": 2, "mid": 10, "top": 33})
    pipeline = fitted_pipeline(data)
    assert pipeline.classes_.tolist() == [2, 10, 33]
    classifier = classifier_from_sklearn(pipeline, table_of(data), target="Class")
    assert classifier.classes == ("10", "2", "33")
    assert classifier.threshold is None
    found = classifier.score(rows_of(data, classifier.schema)).probabilities
    assert found == pytest.approx(pipeline.predict_proba(inputs(data))[:, [1, 0, 2]], abs=1e-12)


def fitted_pipeline(data: pd.DataFrame) -> Pipeline:
    model = LogisticRegression(solver="newton-cholesky")
    return make_pipeline(prepared(), model).fit(inputs(data), data["Class"])


@pytest.mark.parametrize(
    "columns",
    [
        slice("Colour", "Grade"),
        slice(2, 4),
        [2, 3],
        [-3, -2],
        [False, False, True, True, False],
        np.array([False, False, True, True, False]),
        ["Colour", "Grade"],
        pd.Index(["Colour", "Grade"]),
        make_column_selector(pattern="Colour|Grade"),
    ],
    ids=lambda columns: str(columns).partition(" object at ")[0],
)
def test_columns_may_be_chosen_in_any_way(columns: Any) -> None:
    data = frame()
    steps = [
        ("nothing", "passthrough", []),
        ("c", OneHotEncoder(), columns),
        ("one", "passthrough", ["Area"]),
    ]
    chosen = ColumnTransformer(steps, remainder=StandardScaler())
    same(
        make_pipeline(chosen, LogisticRegression(solver="newton-cholesky")).fit(
            inputs(data), data["Class"]
        ),
        data,
    )


def test_a_single_column_may_be_chosen_by_itself() -> None:
    data = frame()[["Area", "Extent", "Class"]]
    X = inputs(data).to_numpy()
    steps = ColumnTransformer([("a", StandardScaler(), slice(None, 1)), ("b", "passthrough", [1])])
    nested = make_pipeline(ColumnTransformer([("all", steps, [1, 0])]), DecisionTreeClassifier())
    same_matrix(nested.fit(X, data["Class"]), data, X)


def same_matrix(model: Any, data: pd.DataFrame, X: np.ndarray, **settings: Any) -> Classifier:
    classifier = classifier_from_sklearn(model, table_of(data), target="Class", **settings)
    report = classifier.score(rows_of(data, classifier.schema))
    order = [model.classes_.tolist().index(label) for label in classifier.classes]
    assert report.probabilities == pytest.approx(model.predict_proba(X)[:, order], abs=1e-12)
    return classifier


def test_a_model_fitted_on_an_array_takes_the_columns_of_the_table() -> None:
    data = frame()[["Area", "Extent", "Class"]]
    X = inputs(data).to_numpy()
    model = make_pipeline("passthrough", LogisticRegression()).fit(X, data["Class"])
    assert same_matrix(model, data, X).schema.names == ("Area", "Extent")


def test_or_those_that_are_named() -> None:
    data = frame()
    X = data[["Offset", "Colour", "Area"]].to_numpy()
    steps = ColumnTransformer([("c", OneHotEncoder(), [1])], remainder=StandardScaler())
    model = make_pipeline(steps, RandomForestClassifier(n_estimators=5)).fit(X, data["Class"])
    classifier = same_matrix(model, data, X, columns=["Offset", "Colour", "Area"])
    assert classifier.schema.names == ("Offset", "Colour", "Area")


@pytest.mark.parametrize("whole", [[1, 2, 10], [False, True, True]], ids=["numbers", "booleans"])
def test_categories_may_be_numbers_or_booleans(whole: list[Any]) -> None:
    data = frame()
    data["Grade"] = data["Grade"].map(dict(zip([1, 2, 10], whole, strict=True)))
    steps = ColumnTransformer([("grade", OneHotEncoder(), ["Grade"])])
    model = make_pipeline(steps, LogisticRegression()).fit(inputs(data), data["Class"])
    classifier = same(model, data)
    (grade,) = classifier.schema.columns
    assert (grade.kind, grade.levels) == ("category", tuple(str(v) for v in dict.fromkeys(whole)))


def test_whole_numbers_beside_missing_cells_are_still_whole() -> None:
    data = frame()
    table = table_of(data.assign(Grade=data["Grade"].astype(object).where(data.index > 9, None)))
    data["Grade"] = data["Grade"].where(data.index > 9)
    assert data["Grade"].dtype == float
    filled = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    steps = ColumnTransformer([("grade", filled, ["Grade"])])
    model = make_pipeline(steps, LogisticRegression()).fit(inputs(data), data["Class"])
    classifier = classifier_from_sklearn(model, table, target="Class")
    (grade,) = classifier.schema.columns
    assert grade.levels == ("1", "2", "10")
    assert grade.fill in grade.levels
    expected = model.predict_proba(inputs(data))[:, [0, 1]]
    report = classifier.score([[None], ["10"]])
    rows = [0, int(np.flatnonzero(data["Grade"] == 10)[0])]
    order = [model.classes_.tolist().index(label) for label in classifier.classes]
    assert report.probabilities == pytest.approx(expected[rows][:, order], abs=1e-12)
    assert report.imputed == (("Grade",), ())


def test_missing_texts_may_be_none() -> None:
    data = frame()
    data.loc[5, "Colour"] = None
    data["Colour"] = data["Colour"].astype(object).where(data["Colour"].notna(), None)
    filled = make_pipeline(
        SimpleImputer(strategy="constant", missing_values=None, fill_value="grey"), OneHotEncoder()
    )
    steps = ColumnTransformer([("colour", filled, ["Colour"])])
    model = make_pipeline(steps, DecisionTreeClassifier()).fit(inputs(data), data["Class"])
    (colour,) = same(model, data).schema.columns
    assert (colour.levels, colour.fill) == (("dark", "golden", "grey", "red"), "grey")


def test_a_fill_that_is_no_level_leaves_missing_refused() -> None:
    data = frame()
    filled = make_pipeline(SimpleImputer(strategy="constant", fill_value="grey"), OneHotEncoder())
    steps = ColumnTransformer([("colour", filled, ["Colour"])])
    model = make_pipeline(steps, LogisticRegression()).fit(inputs(data), data["Class"])
    classifier = same(model, data)
    assert classifier.schema.columns[0].fill is None
    with pytest.raises(SchemaError, match="column Colour: a value is needed here"):
        classifier.score([[None]])


def test_texts_of_pandas_are_texts() -> None:
    data = frame(holes=True)
    data["Colour"] = data["Colour"].astype("str")
    same(fitted_pipeline(data), data)


def test_columns_that_are_not_looked_at_are_not_asked_for() -> None:
    data = frame()
    steps = ColumnTransformer([("n", StandardScaler(), ["Extent"])])
    model = make_pipeline(steps, LogisticRegression()).fit(inputs(data), data["Class"])
    assert same(model, data).schema.names == ("Extent",)


@pytest.mark.parametrize("preparation", ["all", "divided", "passed through"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_average_row_has_no_contributions(preparation: str, n_classes: int) -> None:
    data = frame(n_classes=n_classes, holes=True)
    model = make_pipeline(clone(PREPARATIONS[preparation]), clone(MODELS["logistic"]))
    classifier = same(model.fit(inputs(data), data["Class"]), data)
    contributions = classifier.score(rows_of(data, classifier.schema)).contributions
    assert np.abs(contributions).max() > 0.1
    assert contributions.mean(axis=0) == pytest.approx(0, abs=1e-9)
    moved = drift_impact(classifier, classifier.encoder.means + classifier.encoder.scales)
    assert moved.sum(axis=1) == pytest.approx(classifier.estimator.weights.sum(axis=-1))


def test_the_profile_and_threshold_are_those_of_the_table() -> None:
    data = frame()
    classifier = same(fitted_pipeline(data), data, threshold=0.3)
    report = classifier.score(rows_of(data, classifier.schema))
    assert classifier.threshold == 0.3
    assert classifier.profile.n_rows == 120
    assert classifier.profile.scores.positive_rate == np.mean(report.positive >= 0.3)


def test_it_says_when_the_solver_stopped_early() -> None:
    data = frame()
    assert same(fitted_pipeline(data), data).converged
    hasty = LogisticRegression(max_iter=1, tol=1e-12)
    with pytest.warns(UserWarning, match="failed to converge"):
        model = make_pipeline(prepared(), hasty).fit(inputs(data), data["Class"])
    assert not same(model, data).converged


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_bundle_gives_the_same_classifier(model: str, n_classes: int, tmp_path: Path) -> None:
    data = frame(n_classes=n_classes, holes=True)
    pipeline = make_pipeline(prepared(), clone(MODELS[model])).fit(inputs(data), data["Class"])
    table = table_of(data)
    sha256 = bundle_from_sklearn(pipeline, table, tmp_path / "bundle", target="Class")
    loaded = artifact.load(tmp_path / "bundle", sha256=sha256)
    made = classifier_from_sklearn(pipeline, table, target="Class")
    rows = rows_of(data, made.schema)
    assert loaded.score(rows).probabilities.tobytes() == made.score(rows).probabilities.tobytes()
    assert artifact.smoke_test(tmp_path / "bundle").largest_difference == 0.0


def test_a_bundle_says_where_it_comes_from(tmp_path: Path) -> None:
    data = frame()
    table, seen, unseen = table_of(data), table_of(data[:90]), table_of(data[90:])
    model = make_pipeline(prepared(), RandomForestClassifier(n_estimators=9, random_state=3))
    model.fit(inputs(data[:90]), data["Class"][:90])
    bundle_from_sklearn(model, seen, tmp_path / "b", target="Class", validation=unseen)
    document = artifact.describe(tmp_path / "b")
    loaded = artifact.load(tmp_path / "b")
    assert document["dataset_sha256"] == seen.sha256 != table.sha256
    assert document["rows"] == {"train": 90, "validation": 30}
    for part, rows in (("train", seen), ("validation", unseen)):
        expected = json.loads(json.dumps(evaluate(loaded, rows).as_dict()))
        assert document["metrics"][part] == expected
    assert document["spec"]["model"] == document["solver"]["name"] == "RandomForestClassifier"
    assert document["spec"]["settings"]["n_estimators"] == 9
    assert document["solver"]["iterations"] == 0
    assert "scikit-learn" in document["versions"]
    assert document["synthetic"] is False


def test_the_check_looks_at_a_thousand_rows_at_most() -> None:
    table = synthetic_raisin()
    large = table.select(list(range(len(table.rows))) * 3, name="large")
    names = [name for name in table.header if name != "Class"]
    X = np.array([[float(cell) for cell in large.cells(name)] for name in names]).T
    model = CountingTree(max_depth=3).fit(X, large.cells("Class"))
    classifier_from_sklearn(model, large, target="Class")
    assert model.asked == [1000]


class CountingTree(DecisionTreeClassifier):
    def fit(self, X: Any, y: Any) -> Any:
        self.asked: list[int] = []
        return super().fit(X, y)

    def predict_proba(self, X: Any) -> Any:
        self.asked.append(len(X))
        return super().predict_proba(X)


CountingTree.__name__ = "DecisionTreeClassifier"

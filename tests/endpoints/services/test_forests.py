"""Forests trained by scikit-learn and kept by mlcore: the same split, the same answers."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from endpoints.services import forests
from endpoints.services.forests import ForestSpec, fit
from mlcore import Table, TrainingSpec, artifact, evaluate, synthetic_raisin, table_rows, train
from mlcore.calibration import fit_isotonic, fit_platt
from mlcore.errors import DataError
from mlcore.preparation import Question, prepare
from mlcore.split import stratified_folds
from mlcore.table import sha256_of
from mlcore.thresholds import best_threshold
from mlcore.trees import TreeFamily

SMALL = ForestSpec(target="Class", n_estimators=10)
SOLVERS: tuple[TreeFamily, ...] = ("decision_tree", "random_forest", "extra_trees")


def mixed_table() -> Table:
    """The synthetic grains with a colour, and every tenth extent and colour missing."""
    grains = synthetic_raisin()
    extent = grains.position("Extent")
    header = (*grains.header, "Colour")
    rows = []
    for number, row in enumerate(grains.rows):
        cells = [*row, ("dark", "golden", "red")[number % 3]]
        if number % 10 == 3:
            cells[extent] = ""
        if number % 10 == 7:
            cells[-1] = "?"
        rows.append(tuple(cells))
    return replace(grains, header=header, rows=tuple(rows), sha256=sha256_of(header, rows))


@pytest.mark.parametrize("solver", SOLVERS)
def test_it_works(solver: TreeFamily) -> None:
    table = synthetic_raisin()
    result = fit(replace(SMALL, solver=solver), table)
    assert result.classifier.estimator.family == solver
    assert result.classifier.converged
    assert result.validation.accuracy > 0.75
    assert result.validation == evaluate(result.classifier, result.holdout)
    assert result.provenance.rows == {"train": 720, "validation": 180}
    assert result.provenance.solver["name"] == solver
    trees = "1 tree with" if solver == "decision_tree" else "10 trees with"
    assert result.provenance.solver["message"].startswith(trees)
    assert {"python", "numpy", "scikit-learn"} == set(result.provenance.versions)


def test_it_answers_as_scikit_learn() -> None:
    table = synthetic_raisin()
    result = fit(SMALL, table)
    classifier = result.classifier
    names = classifier.schema.names
    X = np.array([[float(cell) for cell in table.cells(name)] for name in names]).T
    held = {line - 2 for line in result.holdout.lines}
    seen = [row for row in range(len(X)) if row not in held]
    model = RandomForestClassifier(n_estimators=10, min_samples_leaf=5, random_state=7)
    model.fit(X[seen], np.array(table.cells("Class"))[seen] == classifier.classes[1])
    found = classifier.score(X.tolist()).positive
    assert found == pytest.approx(model.predict_proba(X)[:, 1], abs=1e-12)


def test_it_is_judged_on_the_holdout_of_train() -> None:
    table = synthetic_raisin()
    assert fit(SMALL, table).holdout == train(TrainingSpec(target="Class"), table).holdout


def test_categories_and_missing_cells() -> None:
    table = mixed_table()
    result = fit(replace(SMALL, columns=("Colour", "Extent", "Area")), table)
    assert result.spec.columns == result.classifier.schema.names == ("Area", "Extent", "Colour")
    report = result.classifier.score(table_rows(result.classifier, table))
    assert ("Extent",) in report.imputed
    assert ("Colour",) in report.imputed
    assert report.contributions.shape == (900, 1, 3)


def test_the_same_spec_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        result = fit(SMALL, synthetic_raisin())
        artifact.save_classifier(result.classifier, result.provenance, tmp_path / name)
    for file in ("model.json", "weights.npz"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    other = fit(replace(SMALL, seed=8), synthetic_raisin())
    assert other.validation != result.validation


def test_a_bundle_keeps_the_answers_and_the_spec(tmp_path: Path) -> None:
    table = mixed_table()
    result = fit(SMALL, table)
    sha256 = artifact.save_classifier(result.classifier, result.provenance, tmp_path / "b")
    loaded = artifact.load(tmp_path / "b", sha256=sha256)
    rows = table_rows(loaded, table)
    theirs = result.classifier.score(rows).probabilities
    assert loaded.score(rows).probabilities.tobytes() == theirs.tobytes()
    document = artifact.describe(tmp_path / "b")
    assert document["spec"] == json.loads(json.dumps(asdict(result.spec)))
    assert document["spec"]["positive"] == result.classifier.classes[1]


def unseen(spec: ForestSpec, table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Labels and out-of-fold probabilities of the training rows, by scikit-learn itself."""
    data = prepare(Question(target="Class"), table, test_size=spec.test_size, seed=spec.seed)
    columns = [data.train.columns.values[name] for name in data.schema.names]
    X, y = np.array(columns).T, data.train.y
    fold, p = stratified_folds(y, folds=5, seed=spec.seed), np.empty(len(y))
    for k in range(5):
        forest = RandomForestClassifier(spec.n_estimators, min_samples_leaf=5, random_state=7)
        p[fold == k] = forest.fit(X[fold != k], y[fold != k]).predict_proba(X[fold == k])[:, 1]
    return y, p


def test_a_threshold_is_tuned_on_rows_the_trees_have_not_seen() -> None:
    spec, table = replace(SMALL, threshold="youden"), synthetic_raisin()
    result = fit(spec, table)
    y, p = unseen(spec, table)
    assert result.classifier.threshold == best_threshold(y, p, objective="youden")
    assert result.spec.threshold == result.classifier.threshold


@pytest.mark.parametrize(("method", "fitted"), [("platt", fit_platt), ("isotonic", fit_isotonic)])
def test_a_calibration_is_fitted_on_them_too(method: Any, fitted: Any) -> None:
    spec, table = replace(SMALL, calibration=method, threshold="f1"), synthetic_raisin()
    result = fit(spec, table)
    y, p = unseen(spec, table)
    expected = fitted(y, p)
    assert result.classifier.calibration == expected
    assert result.classifier.threshold == best_threshold(y, expected.apply(p), objective="f1")
    rows = table_rows(result.classifier, table)
    raw = fit(SMALL, table).classifier.score(rows).positive
    assert result.classifier.score(rows).positive.tolist() == expected.apply(raw).tolist()
    shares = np.array(result.classifier.profile.scores.histogram) / 720
    assert shares.sum() == pytest.approx(1)


def test_classes_may_be_balanced() -> None:
    table = synthetic_raisin()
    besni = [row for row, label in enumerate(table.cells("Class")) if label == "Besni"]
    rest = [row for row in range(len(table.rows)) if row not in set(besni)]
    rare = table.select(besni[:60] + rest, name="rare")
    even, plain = (
        fit(replace(SMALL, class_weight=weight), rare).validation for weight in ("balanced", "none")
    )
    assert even.recall > plain.recall


def test_few_rows_have_fewer_folds() -> None:
    table = synthetic_raisin()
    besni = [row for row, label in enumerate(table.cells("Class")) if label == "Besni"]
    rest = [row for row in range(len(table.rows)) if row not in set(besni)]
    few = table.select(besni[:4] + rest[:40], name="few")
    spec = replace(SMALL, solver="decision_tree", min_samples_leaf=1, threshold="f1")
    assert 0 <= (fit(spec, few).classifier.threshold or 0) <= 1


def three_sizes() -> Table:
    """The synthetic grains, called small, middle or large by their area."""
    grains = synthetic_raisin()
    place, area = grains.position("Class"), np.array(grains.cells("Area"), dtype=float)
    sizes = np.array(["small", "middle", "large"])[np.digitize(area, np.quantile(area, [0.3, 0.6]))]
    rows = tuple(
        (*row[:place], size, *row[place + 1 :])
        for row, size in zip(grains.rows, sizes.tolist(), strict=True)
    )
    return replace(grains, rows=rows, sha256=sha256_of(grains.header, rows))


@pytest.mark.parametrize("solver", SOLVERS)
def test_three_classes(solver: TreeFamily, tmp_path: Path) -> None:
    result = fit(replace(SMALL, solver=solver), three_sizes())
    assert result.classifier.classes == ("large", "middle", "small")
    assert result.classifier.threshold is None
    assert (result.spec.positive, result.spec.threshold) == (None, 0.5)
    assert result.validation.accuracy > 0.9
    artifact.save_classifier(result.classifier, result.provenance, tmp_path / "b")
    loaded = artifact.load(tmp_path / "b")
    assert evaluate(loaded, result.holdout) == result.validation


@pytest.mark.parametrize("changes", [{"threshold": "f1"}, {"calibration": "platt"}])
def test_three_classes_have_no_threshold_to_tune(changes: dict[str, Any]) -> None:
    with pytest.raises(DataError, match='for 2 classes, "Class" has 3: the most probable one'):
        fit(replace(SMALL, **changes), three_sizes())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"solver": "boosting"}, "unknown solver 'boosting': use decision_tree, random_forest, ex"),
        ({"calibration": "magic"}, "unknown calibration 'magic': use none, platt, isotonic"),
        ({"class_weight": "heavy"}, "unknown class_weight 'heavy': use none, balanced"),
        ({"n_estimators": 0}, "n_estimators must be 1 or more, got 0"),
        ({"max_depth": 0}, "max_depth must be 1 or more, got 0"),
        ({"min_samples_leaf": 0}, "min_samples_leaf must be 1 or more, got 0"),
        ({"seed": -1}, "the seed of trees lies between 0 and"),
        ({"seed": 2**32}, "the seed of trees lies between 0 and"),
        ({"threshold": 1.5}, "threshold must lie between 0 and 1, got 1.5"),
        ({"threshold": "luck"}, "unknown threshold objective"),
        ({"test_size": 0.0}, "test_size must lie between 0 and 1"),
        ({"target": "Klass"}, 'there is no column "Klass"'),
        ({"columns": ("Aera",)}, 'did you mean "Area"'),
    ],
)
def test_it_refuses_settings(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit(replace(SMALL, **changes), synthetic_raisin())


def test_it_refuses_a_forest_that_no_bundle_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forests, "MOST_BYTES", 2**20 // 64)
    with pytest.raises(DataError, match="nodes, 0 MiB; a bundle holds 0: raise min_samples_leaf"):
        fit(SMALL, synthetic_raisin())


def test_without_scikit_learn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(DataError, match="not installed: pip install scikit-learn"):
        fit(SMALL, synthetic_raisin())


def test_numbers_beyond_those_of_trees_are_named() -> None:
    grains = synthetic_raisin()
    area = grains.position("Area")
    rows = tuple((*row[:area], "1e39", *row[area + 1 :]) for row in grains.rows)
    with pytest.raises(DataError, match=r'column "Area" holds numbers beyond 3.4e\+38'):
        fit(SMALL, replace(grains, rows=rows))


def test_a_class_of_a_single_training_row_cannot_be_tuned_on() -> None:
    grains = synthetic_raisin()
    kinds = grains.cells("Class")
    few = [n for n, kind in enumerate(kinds) if kind == "Besni"][:2]
    many = [n for n, kind in enumerate(kinds) if kind == "Kecimen"]
    with pytest.raises(DataError, match="a class has 1 of them"):
        fit(replace(SMALL, calibration="platt"), grains.select([*few, *many], name="few"))


@pytest.mark.parametrize("solver", ["random_forest", "extra_trees"])
def test_trees_that_grow_in_steps_are_the_same(
    solver: TreeFamily, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(SMALL, solver=solver, class_weight="balanced", calibration="platt")
    at_once, table = tmp_path / "at once", synthetic_raisin()
    in_steps = tmp_path / "in steps"
    for folder, step in ((in_steps, 3), (at_once, 10)):
        monkeypatch.setattr(forests, "TREES_AT_ONCE", step)
        result = fit(spec, table)
        artifact.save_classifier(result.classifier, result.provenance, folder)
    assert (in_steps / "weights.npz").read_bytes() == (at_once / "weights.npz").read_bytes()


def test_it_can_be_ended_between_trees() -> None:
    called = 0

    def alive() -> None:
        nonlocal called
        called += 1
        if called == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(SMALL, synthetic_raisin(), alive=alive)

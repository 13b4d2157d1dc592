"""Trains trees and forests: scikit-learn grows them, mlcore keeps, scores and explains them.

scikit-learn is an extra. It is imported when a forest is trained and never to serve one.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from typing import Any, get_args

import numpy as np

from mlcore.alive import Alive, nothing
from mlcore.analysis import AnalysisReport, analyse
from mlcore.arrays import FloatArray
from mlcore.assembly import CalibrationMethod, Decision, assemble, learn_decision
from mlcore.bundle import Provenance, running_versions
from mlcore.classifier import Classifier
from mlcore.encoding import Encoder
from mlcore.errors import DataError
from mlcore.evaluation import Report, judge
from mlcore.history import Iteration
from mlcore.preparation import Prepared, Question, prepare
from mlcore.schema import Schema
from mlcore.sklearn_check import require_equal
from mlcore.sklearn_models import Wiring, trees_of
from mlcore.split import stratified_folds
from mlcore.table import Table
from mlcore.thresholds import ThresholdSpec
from mlcore.training import ClassWeight
from mlcore.trees import TreeEnsemble, TreeFamily

MOST_BYTES = 48 * 2**20
"""Of a forest's arrays: a bundle's file may have 64 MiB."""

_CLASSES: dict[str, tuple[str, str]] = {
    "decision_tree": ("sklearn.tree", "DecisionTreeClassifier"),
    "random_forest": ("sklearn.ensemble", "RandomForestClassifier"),
    "extra_trees": ("sklearn.ensemble", "ExtraTreesClassifier"),
}
_CHOICES: dict[str, tuple[str, ...]] = {
    "solver": get_args(TreeFamily),
    "class_weight": get_args(ClassWeight),
    "calibration": get_args(CalibrationMethod),
}
_FOLDS = 5
TREES_AT_ONCE = 5


@dataclass(frozen=True, kw_only=True)
class ForestSpec:
    """What to train; the fields that ``TrainingSpec`` has too mean the same.

    ``n_estimators`` belongs to forests alone. Leaves of 5 rows give far better probabilities than
    scikit-learn's leaves of 1, which know only 0 and 1, at the same accuracy.
    """

    target: str
    columns: tuple[str, ...] | None = None
    positive: str | None = None
    solver: TreeFamily = "random_forest"
    n_estimators: int = 100
    max_depth: int | None = None
    min_samples_leaf: int = 5
    test_size: float = 0.2
    seed: int = 7
    class_weight: ClassWeight = "none"
    calibration: CalibrationMethod = "none"
    threshold: float | str = 0.5


@dataclass(frozen=True, eq=False)
class ForestResult:
    """The classifier and what it is worth; ``spec`` states what was chosen for what was open."""

    classifier: Classifier
    train: Report
    validation: Report
    holdout: Table
    spec: ForestSpec
    provenance: Provenance
    analysis: AnalysisReport
    history: tuple[Iteration, ...] = ()


def fit(spec: ForestSpec, table: Table, *, alive: Alive = nothing) -> ForestResult:
    """Train one tree or forest. The same spec, table and scikit-learn give the same bytes.

    The split is that of ``mlcore.train``, so both can be compared on the same holdout. A threshold
    is tuned and a calibration fitted on 5 folds of the training rows, each scored by trees that
    have not seen it: of their own training rows trees are far too sure. Raises DataError for a
    table or setting that cannot be trained on, and where scikit-learn is not installed.
    """
    _check(spec)
    question = Question(target=spec.target, positive=spec.positive, columns=spec.columns)
    data = prepare(question, table, test_size=spec.test_size, seed=spec.seed, alive=alive)
    _check_binary_settings(spec, data)
    _check_range(data)
    encoder = _unscaled(data.schema)
    rows = _Rows(encoder.transform(data.train.columns), data.train.y)
    trees = _grown(spec, data, rows, alive)
    decision = _decision(spec, rows, alive) if len(data.classes) == 2 else Decision()
    classifier = assemble(data, encoder, trees, decision, converged=True)
    train, validation = judge(classifier, data.train), judge(classifier, data.validation)
    used = _resolved(spec, classifier)
    provenance = Provenance(
        dataset_sha256=table.sha256,
        synthetic=table.synthetic,
        rows={"train": train.n, "validation": validation.n},
        metrics={"train": train.as_dict(), "validation": validation.as_dict()},
        spec=asdict(used),
        solver=_about(spec, trees),
        versions=running_versions() | {"scikit-learn": import_module("sklearn").__version__},
    )
    analysis = analyse(classifier, data, alive=alive)
    return ForestResult(classifier, train, validation, data.holdout, used, provenance, analysis)


@dataclass(frozen=True, eq=False)
class _Rows:
    """The training rows as trees see them: encoded slots (n, s) and class numbers (n,)."""

    slots: FloatArray
    y: FloatArray


def _check(spec: ForestSpec) -> None:
    for name, choices in _CHOICES.items():
        if getattr(spec, name) not in choices:
            raise DataError(f"unknown {name} {getattr(spec, name)!r}: use {', '.join(choices)}")
    for name in ("n_estimators", "max_depth", "min_samples_leaf"):
        value = getattr(spec, name)
        if value is not None and value < 1:
            raise DataError(f"{name} must be 1 or more, got {value}")
    if not 0 <= spec.seed < 2**32:
        raise DataError(f"the seed of trees lies between 0 and 2^32 - 1, got {spec.seed}")
    ThresholdSpec.of(spec.threshold)  # raises for one that means nothing


def _check_binary_settings(spec: ForestSpec, data: Prepared) -> None:
    binary_only = (spec.threshold != ForestSpec.threshold, spec.calibration != "none")
    if len(data.classes) > 2 and any(binary_only):
        raise DataError(
            f'a threshold and a calibration are for 2 classes, "{spec.target}" has '
            f"{len(data.classes)}: the most probable one is predicted"
        )


def _check_range(data: Prepared) -> None:
    """scikit-learn's trees work in float32."""
    largest = float(np.finfo(np.float32).max)
    for name, values in data.train.columns.values.items():
        if values.dtype.kind == "f" and np.abs(values).max() > largest:
            raise DataError(
                f'column "{name}" holds numbers beyond {largest:.2g}, the most that '
                "scikit-learn's trees take: measure it in a larger unit"
            )


def _unscaled(schema: Schema) -> Encoder:
    """Trees ask for order alone; numbers as the user writes them give readable thresholds."""
    n_slots = sum(len(column.levels) or 1 for column in schema.columns)
    return Encoder(schema, np.zeros(n_slots), np.ones(n_slots))


def _grown(spec: ForestSpec, data: Prepared, rows: _Rows, alive: Alive) -> TreeEnsemble:
    """The trees of all training rows in our form, compared with what scikit-learn says of them."""
    model = _grow(spec, rows.slots, rows.y, alive)
    n_nodes = sum(tree.tree_.node_count for tree in getattr(model, "estimators_", [model]))
    size = n_nodes * (20 + 8 * len(data.classes))
    if size > MOST_BYTES:
        raise DataError(
            f"the trees have {n_nodes} nodes, {size >> 20} MiB; a bundle holds {MOST_BYTES >> 20}: "
            "raise min_samples_leaf, or lower n_estimators or max_depth"
        )
    n_slots = rows.slots.shape[1]
    wiring = Wiring(np.arange(n_slots), n_slots, tuple(range(len(data.classes))))
    trees = trees_of(model, wiring, type(model).__name__)
    ours = trees.probabilities(trees.scores(rows.slots))
    require_equal(ours, model.predict_proba(rows.slots), data.train.lines)
    return trees


def _grow(spec: ForestSpec, slots: FloatArray, y: FloatArray, alive: Alive) -> Any:
    module, name = _CLASSES[spec.solver]
    try:
        kind = getattr(import_module(module), name)
    except ImportError as error:
        raise DataError(
            f"{spec.solver} is trained by scikit-learn, which is not installed: "
            "pip install scikit-learn"
        ) from error
    settings: dict[str, Any] = {
        "max_depth": spec.max_depth,
        "min_samples_leaf": spec.min_samples_leaf,
        "class_weight": None if spec.class_weight == "none" else spec.class_weight,
        "random_state": spec.seed,
    }
    if spec.solver == "decision_tree":
        return kind(**settings).fit(slots, y)
    return _in_steps(kind(**settings), spec.n_estimators, (slots, y), alive)


def _in_steps(forest: Any, n_trees: int, rows: tuple[FloatArray, FloatArray], alive: Alive) -> Any:
    """Grow a few trees at a time; scikit-learn grows the same ones as all at once."""
    for n in range(0, n_trees, TREES_AT_ONCE):
        alive()
        forest.set_params(n_estimators=min(n + TREES_AT_ONCE, n_trees), warm_start=n > 0)
        with warnings.catch_warnings():
            # Balanced weights would be wrong if the rows changed meanwhile.
            warnings.filterwarnings("ignore", message="class_weight presets")
            forest.fit(*rows)
    return forest


def _decision(spec: ForestSpec, rows: _Rows, alive: Alive) -> Decision:
    """The calibration and the threshold, both from probabilities of unseen rows."""
    wanted = ThresholdSpec.of(spec.threshold)
    if spec.calibration == "none" and wanted.objective == "fixed":
        return Decision(None, wanted.target)  # nothing to learn: spare the folds
    unseen = _unseen(spec, rows, alive)
    return learn_decision(rows.y, unseen, calibration=spec.calibration, threshold=wanted)


def _unseen(spec: ForestSpec, rows: _Rows, alive: Alive) -> FloatArray:
    """The positive probability of each training row by trees that were grown without its fold."""
    folds = min(_FOLDS, int(min(rows.y.sum(), (1 - rows.y).sum())))
    if folds < 2:
        raise DataError(
            "a threshold and a calibration are learnt on folds of the training rows, and a class "
            "has 1 of them; give it 2 or more, or train without"
        )
    fold = stratified_folds(rows.y, folds=folds, seed=spec.seed)
    p = np.empty(len(rows.y))
    for number in range(folds):
        away, rest = fold == number, fold != number
        grown = _grow(spec, rows.slots[rest], rows.y[rest], alive)
        p[away] = grown.predict_proba(rows.slots[away])[:, 1]
    return p


def _resolved(spec: ForestSpec, classifier: Classifier) -> ForestSpec:
    """The spec with what was chosen in place of what was open."""
    return replace(
        spec,
        columns=classifier.schema.names,
        positive=classifier.classes[1] if classifier.is_binary else None,
        threshold=ForestSpec.threshold if classifier.threshold is None else classifier.threshold,
    )


def _about(spec: ForestSpec, trees: TreeEnsemble) -> dict[str, Any]:
    """What a bundle keeps of the solver; growing trees has neither iterations nor a decrement."""
    n_trees = len(trees.roots)
    size = f"{n_trees} tree{'s' if n_trees > 1 else ''} with {len(trees.feature)} nodes"
    return {"name": spec.solver, "iterations": 0, "decrement": None, "message": size}

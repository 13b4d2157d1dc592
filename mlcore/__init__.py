"""Raisin's numerical heart: NumPy and the standard library; no Django, no clock, no globals.

The way of the data: table -> features, preparation -> encoding (slots) -> solvers (coefficients)
-> estimators (scores, contributions) -> assembly -> classifier (probabilities, decisions) ->
evaluation, analysis -> artifact, tracking. ``training`` walks it.

>>> from mlcore import TrainingSpec, synthetic_raisin, train
>>> result = train(TrainingSpec(target="Class", lambda_=0.01), synthetic_raisin())
>>> result.report.converged, result.validation.accuracy > 0.8
(True, True)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlcore.model_card import model_card  # now: the module of that name would hide the function

if TYPE_CHECKING:
    from mlcore.abtest import ABTestReport, Look, Plan, analyse_shadow, analyse_split
    from mlcore.analysis import AnalysisReport, analyse
    from mlcore.artifact import SmokeReport, describe, load, save, save_classifier, smoke_test
    from mlcore.assignment import Split
    from mlcore.bundle import Provenance
    from mlcore.calibration import Isotonic, Platt, fit_isotonic, fit_platt
    from mlcore.classifier import Classifier, ScoreReport
    from mlcore.collinearity import CollinearityReport
    from mlcore.comparison import ShadowCounters
    from mlcore.datasets import RAISIN_CITATION, raisin, read_arff, read_csv, synthetic_raisin
    from mlcore.drift import DriftReport, DriftRule, FeatureDrift, measure
    from mlcore.encoding import Encoder
    from mlcore.errors import (
        ArtifactError,
        CellError,
        DataError,
        MlcoreError,
        NotConvergedWarning,
        SchemaError,
    )
    from mlcore.estimate import Estimate, estimate_performance, reference_performance
    from mlcore.estimators import Logistic, Softmax
    from mlcore.evaluation import evaluate, table_rows
    from mlcore.explain import Coefficient, coefficients, contributions
    from mlcore.from_sklearn import bundle_from_sklearn, classifier_from_sklearn
    from mlcore.impact import ImpactReport, impact_of_drift
    from mlcore.importance import ImportanceReport, permutation_importance
    from mlcore.inference import InferenceReport, SoftmaxInferenceReport, infer, infer_softmax
    from mlcore.intervals import IntervalReport, bootstrap, delong, delong_comparison, wilson
    from mlcore.metrics import METRIC_DIRECTION, Confusion, MetricsReport, evaluate_predictions
    from mlcore.model import LogisticModel
    from mlcore.multiclass import MulticlassReport, evaluate_multiclass
    from mlcore.outcomes import ArmCounters, Goal
    from mlcore.path import PathReport, regularisation_path
    from mlcore.performance import ReferencePerformance
    from mlcore.profile import ColumnProfile, Profile, ScoreProfile, build_profile
    from mlcore.quality import QualityReport, check_quality
    from mlcore.ranking import roc_auc
    from mlcore.reliability import ReliabilityReport
    from mlcore.results import Result
    from mlcore.rows import PartitionedRows, as_rows
    from mlcore.sample_size import Precision, pairs_needed, rows_per_arm
    from mlcore.schema import Column, Columns, Schema
    from mlcore.sequential import AlwaysValid, confidence_sequence
    from mlcore.slices import SliceReport, by_band, by_class, by_level, decided
    from mlcore.solvers import (
        GradientDescentSettings,
        Iteration,
        NewtonSettings,
        Separation,
        SolverReport,
        Watch,
        gradient_descent,
        newton,
    )
    from mlcore.split import splitmix64, stratified_folds, stratified_split
    from mlcore.streams import Adwin, PageHinkley
    from mlcore.table import Table
    from mlcore.thresholds import ThresholdSpec, best_threshold, threshold_curve
    from mlcore.training import TrainingResult, TrainingSpec, train
    from mlcore.trees import TreeEnsemble
    from mlcore.validation import cross_validate, leave_one_out, one_step_folds
    from mlcore.version import __version__
    from mlcore.window import Window

__all__ = [
    "ABTestReport",
    "Adwin",
    "AlwaysValid",
    "AnalysisReport",
    "ArmCounters",
    "ArtifactError",
    "CellError",
    "Classifier",
    "Coefficient",
    "CollinearityReport",
    "Column",
    "ColumnProfile",
    "Columns",
    "Confusion",
    "DataError",
    "DriftReport",
    "DriftRule",
    "Encoder",
    "Estimate",
    "FeatureDrift",
    "Goal",
    "GradientDescentSettings",
    "ImpactReport",
    "ImportanceReport",
    "InferenceReport",
    "IntervalReport",
    "Isotonic",
    "Iteration",
    "Logistic",
    "LogisticModel",
    "Look",
    "METRIC_DIRECTION",
    "MetricsReport",
    "MlcoreError",
    "MulticlassReport",
    "NewtonSettings",
    "NotConvergedWarning",
    "PageHinkley",
    "PartitionedRows",
    "PathReport",
    "Plan",
    "Platt",
    "Precision",
    "Profile",
    "Provenance",
    "QualityReport",
    "RAISIN_CITATION",
    "ReferencePerformance",
    "ReliabilityReport",
    "Result",
    "Schema",
    "SchemaError",
    "ScoreProfile",
    "ScoreReport",
    "Separation",
    "ShadowCounters",
    "SliceReport",
    "SmokeReport",
    "Softmax",
    "SoftmaxInferenceReport",
    "SolverReport",
    "Split",
    "Table",
    "ThresholdSpec",
    "TrainingResult",
    "TrainingSpec",
    "TreeEnsemble",
    "Watch",
    "Window",
    "__version__",
    "analyse",
    "analyse_shadow",
    "analyse_split",
    "as_rows",
    "best_threshold",
    "bootstrap",
    "build_profile",
    "bundle_from_sklearn",
    "by_band",
    "by_class",
    "by_level",
    "check_quality",
    "classifier_from_sklearn",
    "coefficients",
    "confidence_sequence",
    "contributions",
    "cross_validate",
    "decided",
    "delong",
    "delong_comparison",
    "describe",
    "estimate_performance",
    "evaluate",
    "evaluate_multiclass",
    "evaluate_predictions",
    "fit_isotonic",
    "fit_platt",
    "gradient_descent",
    "impact_of_drift",
    "infer",
    "infer_softmax",
    "leave_one_out",
    "load",
    "measure",
    "model_card",
    "newton",
    "one_step_folds",
    "pairs_needed",
    "permutation_importance",
    "raisin",
    "read_arff",
    "read_csv",
    "reference_performance",
    "regularisation_path",
    "roc_auc",
    "rows_per_arm",
    "save",
    "save_classifier",
    "smoke_test",
    "splitmix64",
    "stratified_folds",
    "stratified_split",
    "synthetic_raisin",
    "table_rows",
    "threshold_curve",
    "train",
    "wilson",
]

_NAMES = {
    "abtest": "ABTestReport Look Plan analyse_shadow analyse_split",
    "analysis": "AnalysisReport analyse",
    "artifact": "SmokeReport describe load save save_classifier smoke_test",
    "assignment": "Split",
    "bundle": "Provenance",
    "calibration": "Isotonic Platt fit_isotonic fit_platt",
    "classifier": "Classifier ScoreReport",
    "collinearity": "CollinearityReport",
    "comparison": "ShadowCounters",
    "datasets": "RAISIN_CITATION raisin read_arff read_csv synthetic_raisin",
    "drift": "DriftReport DriftRule FeatureDrift measure",
    "encoding": "Encoder",
    "errors": "ArtifactError CellError DataError MlcoreError NotConvergedWarning SchemaError",
    "estimate": "Estimate estimate_performance reference_performance",
    "estimators": "Logistic Softmax",
    "evaluation": "evaluate table_rows",
    "explain": "Coefficient coefficients contributions",
    "from_sklearn": "bundle_from_sklearn classifier_from_sklearn",
    "impact": "ImpactReport impact_of_drift",
    "importance": "ImportanceReport permutation_importance",
    "inference": "InferenceReport SoftmaxInferenceReport infer infer_softmax",
    "intervals": "IntervalReport bootstrap delong delong_comparison wilson",
    "metrics": "METRIC_DIRECTION Confusion MetricsReport evaluate_predictions",
    "model": "LogisticModel",
    "multiclass": "MulticlassReport evaluate_multiclass",
    "outcomes": "ArmCounters Goal",
    "path": "PathReport regularisation_path",
    "performance": "ReferencePerformance",
    "profile": "ColumnProfile Profile ScoreProfile build_profile",
    "quality": "QualityReport check_quality",
    "ranking": "roc_auc",
    "reliability": "ReliabilityReport",
    "results": "Result",
    "rows": "PartitionedRows as_rows",
    "sample_size": "Precision pairs_needed rows_per_arm",
    "schema": "Column Columns Schema",
    "sequential": "AlwaysValid confidence_sequence",
    "slices": "SliceReport by_band by_class by_level decided",
    "solvers": "GradientDescentSettings Iteration NewtonSettings Separation SolverReport Watch "
    "gradient_descent newton",
    "split": "splitmix64 stratified_folds stratified_split",
    "streams": "Adwin PageHinkley",
    "table": "Table",
    "thresholds": "ThresholdSpec best_threshold threshold_curve",
    "training": "TrainingResult TrainingSpec train",
    "trees": "TreeEnsemble",
    "validation": "cross_validate leave_one_out one_step_folds",
    "version": "__version__",
    "window": "Window",
}
"""Where each name lives. It is imported when it is first asked for: what serves never loads what trains."""

_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}
_MODULES = {*_NAMES, "tracking"}


def __getattr__(name: str) -> Any:
    """A name of ``__all__``, or a module of the library after a plain ``import mlcore``."""
    if name in _HOMES:
        found = getattr(import_module(f"mlcore.{_HOMES[name]}"), name)
    elif name in _MODULES:
        found = import_module(f"mlcore.{name}")
    else:
        raise AttributeError(f"module 'mlcore' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

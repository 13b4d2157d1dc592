"""Raisin's numerical heart: NumPy and the standard library; no Django, no clock, no globals."""

from __future__ import annotations

from mlcore.artifact import SmokeReport, describe, load, save, smoke_test
from mlcore.classifier import Classifier, ScoreReport
from mlcore.datasets import RAISIN_CITATION, raisin, read_arff, read_csv, synthetic_raisin
from mlcore.encoding import Encoder
from mlcore.errors import (
    ArtifactError,
    CellError,
    DataError,
    MlcoreError,
    NotConvergedWarning,
    SchemaError,
)
from mlcore.explain import Coefficient, coefficients, contributions
from mlcore.metrics import METRIC_DIRECTION, Confusion, MetricsReport, evaluate_predictions, roc_auc
from mlcore.model import LogisticModel
from mlcore.profile import ColumnProfile, Profile, ScoreProfile, build_profile
from mlcore.schema import Column, Columns, Schema
from mlcore.solvers import (
    GradientDescentSettings,
    Iteration,
    NewtonSettings,
    SolverReport,
    gradient_descent,
    newton,
)
from mlcore.split import splitmix64, stratified_folds, stratified_split
from mlcore.table import Table
from mlcore.thresholds import best_threshold
from mlcore.training import TrainingResult, TrainingSpec, evaluate, table_rows, train

__all__ = [
    "METRIC_DIRECTION",
    "RAISIN_CITATION",
    "ArtifactError",
    "CellError",
    "Classifier",
    "Coefficient",
    "Column",
    "ColumnProfile",
    "Columns",
    "Confusion",
    "DataError",
    "Encoder",
    "GradientDescentSettings",
    "Iteration",
    "LogisticModel",
    "MetricsReport",
    "MlcoreError",
    "NewtonSettings",
    "NotConvergedWarning",
    "Profile",
    "Schema",
    "SchemaError",
    "ScoreProfile",
    "ScoreReport",
    "SmokeReport",
    "SolverReport",
    "Table",
    "TrainingResult",
    "TrainingSpec",
    "best_threshold",
    "build_profile",
    "coefficients",
    "contributions",
    "describe",
    "evaluate",
    "evaluate_predictions",
    "gradient_descent",
    "load",
    "newton",
    "raisin",
    "read_arff",
    "read_csv",
    "roc_auc",
    "save",
    "smoke_test",
    "splitmix64",
    "stratified_folds",
    "stratified_split",
    "synthetic_raisin",
    "table_rows",
    "train",
]

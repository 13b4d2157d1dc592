"""What a bundle from outside says of itself: whether it can be kept and shown, not whether it is true.

The classifier inside was verified before; this is about the texts and numbers around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from types import MappingProxyType
from typing import Any

from endpoints.services.words import LONGEST_CLASS
from mlcore.classifier import Classifier
from mlcore.errors import DataError, shown
from mlcore.evaluation import Report
from mlcore.features import MOST_CLASSES
from mlcore.metrics import MetricsReport
from mlcore.multiclass import MulticlassReport
from mlcore.run_names import LONGEST_KEY, check_name, check_text, check_value
from mlcore.shapes import misfits

MOST_COLUMNS = 1_000
MOST_SLOTS = 10_000
MOST_MEMBERS = 200
MOST_ROWS = 10**9
LONGEST_SOLVER = 32
LONGEST_MEMBER = 200
LONGEST_TEXT = 10_000
DEEPEST = 16
LARGEST_NUMBER = 1e12
ROUNDING = 1e-9
_SHARES = (
    *("accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1", "prevalence"),
    *("roc_auc", "average_precision", "ece"),
)
_COUNTS = ("n", "tn", "fp", "fn", "tp", "confusion", "support")
_RANGES = MappingProxyType(
    dict.fromkeys(_SHARES, (0.0, 1.0))
    | dict.fromkeys(_COUNTS, (0.0, float(MOST_ROWS)))
    | {"mcc": (-1.0, 1.0), "brier": (0.0, 2.0), "log_loss": (0.0, LARGEST_NUMBER)}
)
"""What a metric can be at all; of any other name LARGEST_NUMBER is the most."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class RowsSpec:
    train: int
    validation: int


@dataclass(frozen=True)
class SolverSpec:
    name: str
    iterations: int
    message: str


@dataclass(frozen=True)
class AboutTraining:
    """The members of model.json that the pages of a run show and that no verification has read."""

    dataset_sha256: str
    synthetic: bool
    rows: RowsSpec
    solver: SolverSpec


def check(described: Mapping[str, Any], classifier: Classifier) -> None:
    """Raise DataError, in words for the uploader, for what could not be stored or shown."""
    _check_names(classifier)
    _check_texts(described, DEEPEST)
    odd = next(_odd_parts(described, classifier), None)
    if odd is not None:
        raise DataError(f"model.json is not what a training writes: look at {odd}")


def _check_names(classifier: Classifier) -> None:
    columns, classes = classifier.schema.columns, classifier.classes
    slots = sum(len(column.levels) or 1 for column in columns)
    for count, most, what in (
        (len(columns), MOST_COLUMNS, "columns"),
        (slots, MOST_SLOTS, "columns and levels"),
        (len(classes), MOST_CLASSES, "classes"),
    ):
        if count > most:
            raise DataError(f"it has {count:,} {what}; {most:,} is the most")
    if len(classes) < 2:
        raise DataError(f"it needs at least 2 classes, it has {len(classes)}")
    for name in classes:
        check_name(name, what="class", longest=LONGEST_CLASS)
    for name in (classifier.target, *classifier.schema.names):
        check_name(name, what="column's name", longest=LONGEST_KEY)


def _check_texts(value: object, levels: int) -> None:
    """Every text must be one that a database keeps and a page can show."""
    if not levels:
        raise DataError(f"model.json has more than {DEEPEST} levels")
    if isinstance(value, str):
        check_text(value, what="text in model.json", longest=LONGEST_TEXT)
    elif isinstance(value, dict | list):
        for part in [*value, *value.values()] if isinstance(value, dict) else value:
            _check_texts(part, levels - 1)


def _odd_parts(described: Mapping[str, Any], classifier: Classifier) -> Iterator[str]:
    """The places that could not be shown; each step relies on those before it to find nothing."""
    yield from misfits(dict(described), AboutTraining)
    if not _SHA256.fullmatch(described["dataset_sha256"]):
        yield "dataset_sha256"
    check_name(described["solver"]["name"], what="solver", longest=LONGEST_SOLVER)
    counts = (*described["rows"].values(), described["solver"]["iterations"])
    if any(type(count) is not int or not 0 <= count <= MOST_ROWS for count in counts):
        yield "rows and solver"
    for place in ("spec", "versions", "metrics"):
        _check_members(described[place], place)
    if not all(isinstance(version, str) for version in described["versions"].values()):
        yield "versions"
    yield from _odd_metrics(described["metrics"], classifier)


def _check_members(found: object, place: str) -> None:
    if not isinstance(found, dict) or len(found) > MOST_MEMBERS:
        raise DataError(f"{place} in model.json is no object of at most {MOST_MEMBERS} members")
    for name in found:
        check_name(name, what=f"name in {place}", longest=LONGEST_MEMBER)


def _odd_metrics(found: Mapping[str, Any], classifier: Classifier) -> Iterator[str]:
    """Both reports; a model that was not validated has an empty one."""
    if set(found) != {"train", "validation"}:
        yield "metrics"
    kind: type[Report] = MetricsReport if classifier.is_binary else MulticlassReport
    later = [field.name for field in fields(kind) if field.default is not MISSING]
    for part, report in found.items():
        place = f"metrics.{part}"
        _check_members(report, place)
        if not report:
            continue
        yield from misfits(report, kind, optional=later, place=place)
        if not classifier.is_binary and not _is_square(report, len(classifier.classes)):
            yield place
        for name, value in report.items():
            if isinstance(value, int | float):
                check_value(value, name=name)
        _check_possible(report, place)


def _check_possible(found: object, name: str) -> None:
    """Raise DataError for a number, at any depth, that no labelled rows could give."""
    if isinstance(found, dict):
        for member, value in found.items():
            _check_possible(value, member)
    elif isinstance(found, list):
        for value in found:
            _check_possible(value, name)
    elif isinstance(found, int | float):
        low, high = _RANGES.get(name, (-LARGEST_NUMBER, LARGEST_NUMBER))
        if not low - ROUNDING <= found <= high + ROUNDING:
            raise DataError(f"it claims {name} of {shown(found)}, which no rows can give")


def _is_square(report: Mapping[str, Any], size: int) -> bool:
    """K classes have a row each in both tables, and a column each in the confusion."""
    tables = (report["confusion"], *report["confusion"], report["per_class"])
    return all(len(part) == size for part in tables)

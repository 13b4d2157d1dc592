"""The model card of a version: what it is, from which data, how good it is and where it is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dashboard import formats
from dashboard.presenters import analysis, evaluation, model, snippets
from dashboard.presenters.evaluation import ConfusionCell, ConfusionRow, MetricRow, MetricTable
from endpoints.models import AlgorithmVersion
from endpoints.services import card_evidence
from endpoints.services.card_evidence import Evidence, SliceGroup
from mlcore.classifier import Classifier
from mlcore.errors import ArtifactError
from mlcore.estimators import Linear
from mlcore.intervals import wilson
from mlcore.metrics import MetricsReport
from mlcore.model_card import FAMILIES
from mlcore.slices import SliceReport

Described = Mapping[str, Any]
SHOWN_LEVELS = 6


@dataclass(frozen=True)
class ClassShare:
    """How many rows of a class there were to learn from and to be judged on; None where not kept."""

    label: str
    train: float | None
    train_share: float | None
    holdout: int | None
    holdout_share: float | None


@dataclass(frozen=True)
class ColumnFact:
    """A column of the training rows; `low` and `high` are the 1st and the 99th percentile."""

    name: str
    kind: str
    typical: float | str
    low: float | None
    high: float | None
    levels: tuple[str, ...]
    more_levels: int
    missing: int
    missing_share: float
    fill: str


@dataclass(frozen=True)
class SliceRow:
    """A slice as people read it; its interval may lie wholly below the share of all rows."""

    name: str
    found: SliceReport
    is_worse: bool


@dataclass(frozen=True)
class SliceTable:
    """`low` is where the axis of the drawings begins; it ends at 1."""

    whole: SliceReport
    groups: tuple[tuple[SliceGroup, tuple[SliceRow, ...]], ...]
    low: float

    @property
    def worse(self) -> tuple[tuple[str, SliceRow], ...]:
        return tuple(
            (group.column, row) for group, rows in self.groups for row in rows if row.is_worse
        )

    @property
    def has_small(self) -> bool:
        return any(row.found.is_small for _, rows in self.groups for row in rows)


@dataclass(frozen=True)
class Card:
    """Whatever the loaded model and its holdout rows tell; `problem` says what is missing of them."""

    family: str
    size: str
    balance: tuple[ClassShare, ...]
    columns: tuple[ColumnFact, ...]
    slices: SliceTable | None
    confusion: tuple[ConfusionRow, ...]
    importance: tuple[tuple[str, float], ...]
    step: int
    problem: str


def loaded(version: AlgorithmVersion) -> model.Loaded:
    """Load the model; one that cannot be loaded leaves a card of what else is known."""
    try:
        return model.of_run(version.run)
    except ArtifactError as error:
        return model.Loaded(None, {}, f"The stored model cannot be loaded: {error}.")


def evidence_of(version: AlgorithmVersion, loaded: model.Loaded) -> Evidence | str:
    if loaded.classifier is None:
        return "The model cannot be loaded, so nothing was computed from its holdout rows."
    return card_evidence.of(version, loaded.classifier)


def of(loaded: model.Loaded, evidence: Evidence | str) -> Card | None:
    """Return the generated part of the card; None for a model that cannot be loaded."""
    classifier = loaded.classifier
    if classifier is None:
        return None
    found = None if isinstance(evidence, str) else evidence
    return Card(
        family=FAMILIES.get(classifier.estimator.family, classifier.estimator.family),
        size=str((loaded.described.get("solver") or {}).get("message") or ""),
        balance=_balance(classifier, loaded.described, found),
        columns=tuple(_columns(classifier)),
        slices=slice_table(found) if found else None,
        confusion=_confusion(classifier, found) if found else (),
        importance=_importance(classifier, found) if found else (),
        step=found.step if found else 1,
        problem=evidence if isinstance(evidence, str) else "",
    )


def findings(
    version: AlgorithmVersion,
    loaded: model.Loaded,
    numbers: Mapping[str, float],
    evidence: Evidence | str,
) -> dict[str, Any]:
    """Return what the analysis of the training says, with an interval for every share."""
    found = analysis.of_version(version.run, loaded, numbers)
    table = found["metrics"]
    if table is not None and not isinstance(evidence, str):
        found["metrics"] = _with_intervals(table, share_intervals(evidence))
    return found


def _with_intervals(table: MetricTable, found: Mapping[str, evaluation.Report]) -> MetricTable:
    """Add the intervals of the metrics that have none and have the same value."""

    def completed(row: MetricRow) -> MetricRow:
        known = found.get(row.key)
        if known is None or row.low is not None or row.validation is None:
            return row
        if abs(known["value"] - row.validation) > evaluation.SAME:
            return row
        return replace(row, low=known["low"], high=known["high"])

    groups = tuple((name, tuple(completed(row) for row in rows)) for name, rows in table.groups)
    methods = table.methods or ("Wilson" if found else "")
    return replace(table, groups=groups, methods=methods)


def share_intervals(evidence: Evidence) -> dict[str, evaluation.Report]:
    """Return the Wilson intervals of whatever is a share of rows."""
    if evidence.step > 1:
        return {}
    whole = evidence.whole
    shares = {"accuracy": (round(whole.accuracy * whole.n), whole.n)}
    if isinstance(evidence.report, MetricsReport):
        counts = evidence.report.confusion
        shares |= {
            "precision": (counts.tp, counts.tp + counts.fp),
            "recall": (counts.tp, counts.tp + counts.fn),
            "specificity": (counts.tn, counts.tn + counts.fp),
            "prevalence": (counts.tp + counts.fn, whole.n),
        }
    return {
        key: {"value": right / n, "low": low, "high": high}
        for key, (right, n) in shares.items()
        if n
        for low, high in (wilson(right, n),)
    }


def slice_table(evidence: Evidence) -> SliceTable:
    whole = evidence.whole
    groups = tuple(
        (group, tuple(_slice_row(found, whole) for found in group.slices))
        for group in evidence.groups
    )
    lowest = min(row.found.accuracy_low for _, rows in groups for row in rows)
    return SliceTable(whole, groups, int(lowest * 10) / 10)


def _slice_row(found: SliceReport, whole: SliceReport) -> SliceRow:
    is_worse = not found.is_small and found.accuracy_high < whole.accuracy
    return SliceRow(slice_name(found), found, is_worse)


def slice_name(found: SliceReport) -> str:
    if found.low is not None and found.high is not None:
        return f"{formats.brief(found.low)} to {formats.brief(found.high)}"
    if found.high is not None:
        return f"up to {formats.brief(found.high)}"
    if found.low is not None:
        return f"above {formats.brief(found.low)}"
    return found.name or "all values"


def _balance(
    classifier: Classifier, described: Described, found: Evidence | None
) -> tuple[ClassShare, ...]:
    train = evaluation.class_counts(described, "train")
    judged = Counter(found.rows.y.tolist()) if found else None
    return tuple(
        ClassShare(
            label=label,
            train=train[number] if train else None,
            train_share=_share(train[number], sum(train)) if train else None,
            holdout=judged[number] if judged is not None else None,
            holdout_share=_share(judged[number], judged.total()) if judged is not None else None,
        )
        for number, label in enumerate(classifier.classes)
    )


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _columns(classifier: Classifier) -> Iterator[ColumnFact]:
    rows = max(classifier.profile.n_rows, 1)
    pairs = zip(classifier.schema.columns, classifier.profile.columns, strict=True)
    for column, profile in pairs:
        is_number = column.kind == "number"
        levels = sorted(profile.counts, key=lambda pair: -pair[1])
        yield ColumnFact(
            name=column.name,
            kind=column.kind,
            typical=snippets.typical_value(profile),
            low=profile.quantile(0.01) if is_number else None,
            high=profile.quantile(0.99) if is_number else None,
            levels=tuple(level for level, _ in levels[:SHOWN_LEVELS]),
            more_levels=max(len(levels) - SHOWN_LEVELS, 0),
            missing=profile.missing,
            missing_share=profile.missing / rows,
            fill="refused"
            if column.fill is None
            else f"filled with {model.fill_text(column.fill)}",
        )


def _confusion(classifier: Classifier, found: Evidence) -> tuple[ConfusionRow, ...]:
    """Count true classes by decision, from the holdout rows themselves."""
    names = classifier.classes
    pairs = Counter(zip(found.rows.y.tolist(), found.rows.decisions.tolist(), strict=True))
    facts: Sequence[Mapping[str, Any]] = found.report.as_dict().get("per_class") or [{}] * len(
        names
    )
    return tuple(
        ConfusionRow(
            name,
            tuple(
                ConfusionCell(pairs[truth, decision], truth == decision)
                for decision in range(len(names))
            ),
            facts[truth],
        )
        for truth, name in enumerate(names)
    )


def _importance(classifier: Classifier, found: Evidence) -> tuple[tuple[str, float], ...]:
    """Return what each column adds on average, for models that have no weights to show."""
    return () if isinstance(classifier.estimator, Linear) else found.importance

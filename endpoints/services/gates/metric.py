"""Whether the candidate is better than production, or worse by how much, on the same rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from endpoints.models import AlgorithmVersion, Endpoint
from endpoints.models.endpoint import Direction
from endpoints.services.gates.case import (
    NO_RIVAL,
    Case,
    Holdout,
    Rival,
    answers_of,
    are_split_alike,
)
from endpoints.services.gates.gate import Check, Gate, Verdict
from mlcore.classifier import Classifier
from mlcore.errors import MlcoreError
from mlcore.intervals import BootstrapSettings
from mlcore.metrics import METRIC_DIRECTION
from mlcore.paired import Answers, DifferenceReport, paired_difference
from mlcore.table import Table

METRIC = Check("metric", "Validation metric")
RESAMPLES = 1_000
FEWEST_RESAMPLES = 200
DRAWS = 4_000_000


@dataclass(frozen=True)
class Advance:
    """By how much the candidate is better than production; below 0 it is worse."""

    version: AlgorithmVersion
    rival: AlgorithmVersion
    holdout: Holdout
    report: DifferenceReport

    @property
    def direction(self) -> int:
        endpoint = self.version.endpoint
        chosen = {Direction.HIGHER: 1, Direction.LOWER: -1}
        as_it_has = METRIC_DIRECTION[endpoint.primary_metric]
        return chosen.get(Direction(endpoint.metric_direction), as_it_has)

    @property
    def better_by(self) -> float:
        return self.direction * self.report.difference

    @property
    def sentence(self) -> str:
        ours, theirs = self.version.label, self.rival.label
        metric = self.version.endpoint.get_primary_metric_display()
        comparison = f"{ours} equals {theirs} on {metric}"
        if self.better_by != 0:
            word = "better" if self.better_by > 0 else "worse"
            comparison = f"{ours} is {word} than {theirs} on {metric} by {abs(self.better_by):.4f}"
        return f"{comparison}, both on the {self.holdout.rows}{_in_words(self.interval)}.{_caution(self)}"

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of `better_by`."""
        if self.report.low is None or self.report.high is None:
            return None
        low, high = sorted((self.direction * self.report.low, self.direction * self.report.high))
        return low, high


def no_worse(case: Case) -> Gate:
    """Fail a candidate that misses the endpoint's bar; warn where its interval does not exclude it."""
    try:
        rival = case.rival
        if rival is None:
            return METRIC.not_run(NO_RIVAL)
        problem = _incomparable(case, rival)
        if problem:
            return METRIC.not_run(problem)
        found = advance(case)
    except MlcoreError as error:
        return METRIC.gate("warn", f"The two versions cannot be compared on the same rows: {error}")
    if found is None:
        return METRIC.gate("warn", _no_rows(case.version, rival.version))
    required = bar(case.version.endpoint)
    verdict = _verdict(found, required)
    return METRIC.gate(verdict, found.sentence, _value(found), _limit(required))


def advance(case: Case) -> Advance | None:
    """Compare both versions on the holdout rows; None without a rival or without rows.

    Raises MlcoreError where they cannot be compared.
    """
    rival, holdout = case.rival, case.holdout
    if rival is None or holdout is None:
        return None
    report = paired_difference(
        holdout.truth,
        holdout.answers,
        _answers_in_order(rival.model, holdout.table, case.model.classes),
        case.version.endpoint.primary_metric,
        settings=BootstrapSettings(resamples=_resamples(len(holdout.truth))),
    )
    return Advance(case.version, rival.version, holdout, report)


def bar(endpoint: Endpoint) -> float:
    """By how much a candidate has to be better; below 0 it may be worse."""
    return endpoint.minimum_improvement or -endpoint.metric_tolerance


def _answers_in_order(model: Classifier, table: Table, classes: tuple[str, ...]) -> Answers:
    """The model's answers with its classes numbered as in `classes`."""
    found = answers_of(model, table)
    order = [model.classes.index(name) for name in classes]
    number = np.array([classes.index(name) for name in model.classes])
    return Answers(found.probabilities[:, order], number[found.chosen])


def _resamples(n: int) -> int:
    """A page waits for this: fewer resamples of many rows, whose interval is narrow anyway."""
    return max(FEWEST_RESAMPLES, min(RESAMPLES, DRAWS // n))


def _incomparable(case: Case, rival: Rival) -> str:
    if set(case.model.classes) != set(rival.model.classes):
        return "The two versions answer with different classes."
    if case.version.endpoint.primary_metric == "specificity" and not case.model.is_binary:
        return f"There is no specificity of {len(case.model.classes)} classes."
    return ""


def _no_rows(version: AlgorithmVersion, rival: AlgorithmVersion) -> str:
    return (
        "The two versions cannot be compared on the same rows: "
        f"neither {version.label} nor {rival.label} has holdout rows."
    )


def _verdict(found: Advance, required: float) -> Verdict:
    if found.better_by < required:
        return "fail"
    return "pass" if found.interval is not None and found.interval[0] >= required else "warn"


def _in_words(interval: tuple[float, float] | None) -> str:
    if interval is None:
        return " (too few rows for an interval)"
    if interval == (0.0, 0.0):
        return ""
    low, high = (f"{abs(end):.4f} {'worse' if end < 0 else 'better'}" for end in interval)
    return f" (95 % interval: {low} to {high})"


def _caution(found: Advance) -> str:
    """Name the version whose training may have held some of the rows: it had the same data."""
    one, other = found.version, found.rival
    if one.run.dataset_sha256 != other.run.dataset_sha256 or are_split_alike(one, other):
        return ""
    seen = other if found.holdout.owner == one else one
    return f" {seen.label} may have been trained on some of these rows, which favours it."


def _value(found: Advance) -> str:
    metric = found.version.endpoint.get_primary_metric_display()
    return f"{metric} {found.report.first:.4f}, {found.rival.label} {found.report.second:.4f}"


def _limit(required: float) -> str:
    return f"at least {required:g} better" if required > 0 else f"at most {-required:g} worse"

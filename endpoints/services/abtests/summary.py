"""A report as numbers that JSON can hold: for REST, for the export and for the summary that is kept for ever.

While too few labels are there it leaves out everything that says which arm is ahead.
"""

from __future__ import annotations

from typing import Any

from endpoints.models import ABPhase, ABTest
from endpoints.models.abtest import Looks
from endpoints.services.abtests.analysis import ABReport, ArmFigures
from endpoints.services.abtests.guarding import Guardrail
from endpoints.services.abtests.phase_figures import PhaseFigures
from mlcore.abtest import ABTestReport
from mlcore.sample_ratio import MISMATCH

Document = dict[str, Any]

_OF_AN_ARM = (
    "version", "planned_share", "seen_share", "requests", "rows", "units", "errors", "error_rate",
    "p95_ms", "labels", "coverage", "value", "low", "high", "brier",
)  # fmt: skip
_OF_A_GUARDRAIL = ("code", "control", "challenger", "limit", "low", "known", "breached")


def as_dict(report: ABReport) -> Document:
    """Return the report; `hidden_until` are the labels of each arm before which results are null, and
    `hidden_until_units` the labelled units where there are labels enough of too few."""
    test, found = report.test, report.statistics
    return {
        "banner": report.banner,
        "ended": report.ended,
        "hidden_until": test.minimum_labels if report.labels < test.minimum_labels else None,
        "hidden_until_units": units_needed(report),
        "kind": test.kind,
        "metric": test.metric,
        "looks": test.looks,
        "alpha": test.alpha,
        "margin": test.margin,
        "phase": _phase(report.phase),
        "labels": report.labels,
        "labels_needed": report.labels_needed,
        "labels_per_day": report.labels_per_day,
        "days_left": report.days_left,
        "agreement": report.agreement,
        "control": _arm(report.control),
        "challenger": _arm(report.challenger),
        "result": _result(test, found) if found is not None and not report.is_hidden else None,
        "checks": _checks(report),
        "guardrails": [_guardrail(guardrail) for guardrail in report.guardrails],
        "cautions": list(report.cautions),
        "phases": [_figures_of(figures) for figures in report.phases],
    }


def units_needed(report: ABReport) -> int | None:
    """Return the labelled units that alone are missing before results are shown."""
    return report.units_needed if report.labels >= report.test.minimum_labels else None


def flat(document: Document) -> list[tuple[str, Any]]:
    """Return the document as names and values, such as `control.labels`; lists by their places."""
    return list(_flat("", document))


def _flat(name: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, list):
        value = {str(place): part for place, part in enumerate(value)}
    if not isinstance(value, dict):
        return [(name, value)]
    start = f"{name}." if name else ""
    return [pair for key, part in value.items() for pair in _flat(f"{start}{key}", part)]


def _phase(phase: ABPhase | None) -> Document | None:
    if phase is None:
        return None
    return {
        "number": phase.number,
        "challenger_share": phase.challenger_share,
        "started_at": phase.started_at.isoformat(),
        "ended_at": phase.ended_at.isoformat() if phase.ended_at else None,
    }


def _figures_of(figures: PhaseFigures) -> Document:
    """Each phase is a test of its own, so that they are not added up."""
    (asked_a, asked_b), (labels_a, labels_b) = figures.requests, figures.labels
    return {
        **(_phase(figures.phase) or {}),
        "control": {"requests": asked_a, "labels": labels_a},
        "challenger": {"requests": asked_b, "labels": labels_b},
        "difference": figures.difference,
        "low": figures.low,
        "high": figures.high,
        "b_best": figures.phase.b_best,
    }


def _arm(figures: ArmFigures) -> Document:
    return {name: getattr(figures, name) for name in _OF_AN_ARM}


def _guardrail(guardrail: Guardrail) -> Document:
    return {name: getattr(guardrail, name) for name in _OF_A_GUARDRAIL}


def _result(test: ABTest, found: ABTestReport) -> Document:
    """Differences are B less A in the metric's unit; `decides` names the interval that the plan looks at."""
    fixed, total, belief = found.fixed, found.always_valid, found.belief
    return {
        "difference": found.difference,
        "relative_lift": relative_lift(found),
        "decides": "always_valid" if test.looks == Looks.ANY_TIME else "fixed",
        "always_valid": total and dict(total._asdict()),
        "fixed": fixed and {"low": fixed.low, "high": fixed.high, "p_value": found.p_value},
        "b_better": belief and belief.b_better,
        "expected_loss": belief and {"of_a": belief.loss_of_a, "of_b": belief.loss_of_b},
    }


def relative_lift(found: ABTestReport) -> float | None:
    """Return the difference as a share of what A is worth."""
    if found.difference is None or not found.control.value:
        return None
    return found.difference / found.control.value


def _checks(report: ABReport) -> Document:
    """Whether the test can be trusted at all: a p value below the limit is a fault, whatever the result."""
    found = report.statistics
    return {
        "sample_ratio_p": found and found.sample_ratio_p,
        "coverage_p": found and found.coverage_p,
        "limit": MISMATCH,
        "doubts": list(report.doubts),
    }

"""What a test's rows mean as a plan of mlcore; it reads no log, loads no model and writes nothing."""

from __future__ import annotations

import hashlib
import json
from typing import cast

from endpoints.models import ABPhase, ABTest, AlgorithmVersion, Endpoint
from endpoints.models.abtest import TestKind, TestMetric
from mlcore.abtest import Kind, Looks, Plan
from mlcore.assignment import BUCKETS, Split
from mlcore.outcomes import Goal, Metric

EVEN = BUCKETS // 2
SETTINGS = (
    "title",
    "kind",
    "challenger",
    "floor",
    "metric",
    "cost_fp",
    "cost_fn",
    "margin",
    "minimum_effect",
    "alpha",
    "looks",
    "minimum_labels",
    "horizon",
    "most_days",
    "maturation_hours",
    "latency_limit_ms",
    "error_margin",
    "brier_margin",
    "auto_promote",
)
"""What a draft may change of itself; its share of traffic is its first phase's."""


def goal_of(test: ABTest) -> Goal:
    """Return what is compared; the costs count for the expected cost alone."""
    metric = cast(Metric, str(test.metric))
    if test.metric != TestMetric.EXPECTED_COST:
        return Goal(metric)
    return Goal(metric, cost_fp=test.cost_fp, cost_fn=test.cost_fn)


def plan_of(test: ABTest, phase: ABPhase | None = None) -> Plan:
    """Return the plan as a phase has it; without one its arms are even, as those of a bandit begin."""
    is_bandit = test.kind == TestKind.BANDIT
    return Plan(
        horizon=test.horizon,
        goal=goal_of(test),
        kind=cast(Kind, str(test.kind)),
        margin=test.margin,
        alpha=test.alpha,
        minimum_labels=test.minimum_labels,
        looks=cast(Looks, str(test.looks)),
        split=Split() if is_bandit else split_of(test, phase),
    )


def split_of(test: ABTest, phase: ABPhase | None) -> Split:
    """Return the shares of the control and the challenger; in a shadow test both have every request."""
    if phase is None or test.kind == TestKind.SHADOW:
        return Split()
    return Split((BUCKETS - phase.challenger_share, phase.challenger_share))


def most_of(test: ABTest) -> int:
    """Return the largest share that an arm of a bandit may have, in basis points."""
    return BUCKETS - test.floor


def title_of(endpoint: Endpoint, challenger: AlgorithmVersion) -> str:
    """Return what a test is called if nobody gives it a title."""
    live = endpoint.versions.in_production().first()
    return f"{challenger.label} against {live.label if live else 'production'}"


def digest_of(test: ABTest, challenger_share: int, control: AlgorithmVersion | None) -> str:
    """Return what names this plan against this control, so that an approver can say what he has seen."""
    facts = {name: getattr(test, name) for name in SETTINGS} | {
        "challenger": test.challenger_id,
        "challenger_share": challenger_share,
        "control": control.number if control is not None else None,
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def newest_phase(test: ABTest) -> ABPhase | None:
    """Return the phase that is running, that ran last or that a draft would begin with."""
    return test.phases.order_by("-number").first()

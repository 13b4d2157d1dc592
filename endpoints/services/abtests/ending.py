"""Ends a running test with its summary, inside the transaction of whoever ends it; it moves no version."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from types import MappingProxyType
from typing import Any

from endpoints.models import ABTest, AlgorithmVersion
from endpoints.models.abtest import Conclusion, TestState
from endpoints.services.abtests import analysis, events, standing, summary, verdicts
from endpoints.services.access import Caller
from endpoints.services.transitions import Decision
from mlcore.errors import DataError

logger = logging.getLogger(__name__)
UNCOMPUTABLE = (DataError, ArithmeticError, ValueError)


def end(test: ABTest, conclusion: str, *, reason: str, actor: Caller, now: datetime) -> ABTest:
    """Stop the test and keep for ever what it says now. Raises Conflict if it is stopped by now.

    The caller holds the endpoint's row, so that of two ends the second waits for the first.
    """
    running = standing.locked(test)
    standing.require_running(running)
    running.phases.filter(ended_at=None).update(ended_at=now)
    ABTest.objects.filter(pk=running.pk).update(
        state=TestState.STOPPED,
        stopped_at=now,
        stopped_by_name=actor.name,
        conclusion=conclusion,
        reason=reason,
        summary=_summary(running, now),
    )
    running.reason = reason
    events.record(
        "stop_abtest",
        running,
        actor=actor,
        now=now,
        before={"state": str(TestState.RUNNING)},
        after={"state": str(TestState.STOPPED), "conclusion": str(conclusion)},
        reason=reason,
    )
    return running


def close_running(version: AlgorithmVersion, verb: str, decision: Decision) -> ABTest | None:
    """End the test that loses its control by this, if one is running, and return it: if B is promoted with
    what its report says, which need not be that B wins; else the test did not finish."""
    found = standing.running_at(version.endpoint)
    if found is None:
        return None
    test = standing.locked(found)
    conclusion, reason = Conclusion.DID_NOT_FINISH, decision.reason.strip()
    if version.pk == test.challenger_id:
        conclusion = _conclusion(test, decision.now)
    if conclusion != Conclusion.B_WINS:
        reason = f"{version.label} {_DONE[verb]}: {reason}"
    return end(test, conclusion, reason=reason, actor=decision.actor, now=decision.now)


def _conclusion(test: ABTest, now: datetime) -> Conclusion:
    """Return what the test says; one that cannot be computed did not finish."""
    try:
        return verdicts.conclusion_of(analysis.analyse(test, now=now))
    except UNCOMPUTABLE:
        logger.exception("A/B test %s ends without a conclusion of its own.", test.pk)
        return Conclusion.DID_NOT_FINISH


def _summary(test: ABTest, now: datetime) -> dict[str, Any] | None:
    """Return what the test says. A report that JSON cannot hold, or that is none, keeps nobody from ending
    a test: its numbers are left out then."""
    try:
        kept = summary.as_dict(analysis.analyse(test, now=now))
        json.dumps(kept, allow_nan=False)
    except UNCOMPUTABLE:
        logger.exception("A/B test %s ends without a summary, which cannot be computed.", test.pk)
        return None
    return kept


_DONE = MappingProxyType(
    {"promote": "was promoted", "roll_back": "answers again", "archive": "was archived"}
)

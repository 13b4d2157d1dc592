"""Stops a running test: a person with a conclusion and a reason, or the clock where the plan asks for that."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from endpoints.errors import Conflict, GateFailed, InvalidRequest, InvalidTransition
from endpoints.models import ABTest, Status
from endpoints.models.abtest import Conclusion, TestState
from endpoints.services import auto_promotion, lifecycle
from endpoints.services.abtests import analysis, checking, ending, standing, verdicts
from endpoints.services.abtests.analysis import ABReport
from endpoints.services.access import Caller
from endpoints.services.transitions import Decision

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Stop:
    """What a person concludes and why; `submission` names the form or request, as in a Decision."""

    conclusion: str
    reason: str
    submission: str = ""


def stop(test: ABTest, stop: Stop, *, actor: Caller, now: datetime) -> ABTest:
    """End the test: the control goes on answering, the challenger goes back to staging.

    Raises NotAllowed without Need.PROMOTE, InvalidRequest for an unknown conclusion or too short a
    reason, Conflict where somebody was first.
    """
    if stop.conclusion not in Conclusion.values:
        known = ", ".join(Conclusion.values)
        checking.refuse({"conclusion": f"“{stop.conclusion[:80]}” is none of {known}."})
    running = standing.reread(test)
    decision = Decision(
        actor=actor, now=now, reason=stop.reason.strip(), submission=stop.submission
    )
    lifecycle.stop_test(
        version=running.challenger, decision=decision, end=lambda: _end(running, stop, decision)
    )
    test.refresh_from_db()
    if test.state != TestState.STOPPED:
        raise InvalidRequest("This submission has been used for another test.")
    if test.conclusion != stop.conclusion:
        raise Conflict(
            f"This submission has stopped the test as “{test.get_conclusion_display()}”."
        )
    return test


def auto(test: ABTest, now: datetime) -> None:
    """End a test that is decided, if its plan asks for that; promote B if B is better and no gate fails.

    Several processes may ask at once: who comes second finds the test ended.
    """
    if not (test.auto_promote and test.is_running):
        return
    running = standing.reread(test)
    if not running.is_running:
        return
    report = analysis.analyse(running, now=now)
    if report.banner in _OPEN:
        return
    try:
        if report.banner == "b_better":
            _promote(running, report, now)
        else:
            _stop(running, report, now)
    except (Conflict, InvalidTransition) as error:
        logger.info("“%s” was ended by somebody else: %s", test, error.message)


_OPEN = ("not_started", "keep_running")


def _end(test: ABTest, stop: Stop, decision: Decision) -> None:
    ending.end(
        test,
        stop.conclusion,
        reason=decision.reason,
        actor=decision.actor,
        now=decision.now,
    )


def _promote(test: ABTest, report: ABReport, now: datetime) -> None:
    """Promote B, which ends the test; where a gate objects, end it and keep why B was not promoted.

    In this order a process that is killed in between has done nothing yet.
    """
    winner, rival = report.test.challenger, report.control.version or 0
    try:
        reason = f"{_PLANNED} {verdicts.in_words(report)}"
        auto_promotion.promote_winner(
            winner, rival=rival, reason=reason, now=now, require=lambda: _require_under_way(test)
        )
    except GateFailed as error:
        with transaction.atomic():
            _stop(test, report, now, after=f" {winner.label} is not promoted: {error.message}")
            auto_promotion.keep_why_not(winner, error.message, now)


def _require_under_way(test: ABTest) -> None:
    """Raise Conflict unless this very test is running and its challenger takes part."""
    running = standing.reread(test)
    standing.require_running(running)
    winner = running.challenger
    if winner.status != Status.AB_TESTING:
        raise Conflict(f"{winner.label} is in {winner.status_word} and takes part in no test.")


def _stop(test: ABTest, report: ABReport, now: datetime, after: str = "") -> None:
    reason = f"{_PLANNED} {verdicts.in_words(report)}{after}"
    how = Stop(conclusion=verdicts.conclusion_of(report), reason=reason)
    stop(test, how, actor=auto_promotion.AUTOMATON, now=now)


_PLANNED = "As planned:"

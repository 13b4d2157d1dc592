"""Ends a test and lets its challenger answer, both or neither; or ends it by what it says itself.

It judges no version: the gates do, through the lifecycle.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.db import transaction

from endpoints.errors import Conflict, GateFailed
from endpoints.models import ABTest
from endpoints.models.abtest import Conclusion
from endpoints.services import access, lifecycle, recording
from endpoints.services.abtests import analysis, checking, standing, stopping, verdicts
from endpoints.services.abtests.stopping import Stop
from endpoints.services.access import Caller, Need
from endpoints.services.transitions import Decision


def stop_and_promote(test: ABTest, stop: Stop, *, actor: Caller, now: datetime) -> ABTest:
    """End the test and promote B for the same reason; where that cannot be, the test goes on.

    Raises whatever stopping and promoting raise, GateFailed above all, and InvalidRequest where A has won.
    """
    if stop.conclusion == Conclusion.A_WINS:
        checking.refuse({"serves": "A has won, you say: then A goes on answering."})
    with transaction.atomic():
        stopped = stopping.stop(test, stop, actor=actor, now=now)
        _require_promotion(stopped, stop, now)
        ended = standing.reread(stopped)
        rival = ended.control.number if ended.control is not None else 0
        decision = Decision(
            actor=actor,
            now=now,
            reason=stop.reason.strip(),
            expected_production=rival,
            submission=stop.submission,
        )
        lifecycle.promote(version=ended.challenger, decision=decision)
    return stopped


def _require_promotion(stopped: ABTest, stop: Stop, now: datetime) -> None:
    """Raise Conflict where the submission has stopped the test before without promoting B."""
    is_again = stopped.stopped_at != now
    if is_again and not recording.done_before(stopped.endpoint, "promote", stop.submission):
        raise Conflict("This submission has stopped the test; A goes on answering.")


def finish(test: ABTest, *, actor: Caller, now: datetime) -> ABTest:
    """End the test by its own report: B is promoted if it is better and no gate objects, else A stays.

    Raises NotAllowed without Need.PROMOTE, InvalidTransition for a draft, Conflict for a stopped test.
    """
    access.require(actor, Need.PROMOTE, test.endpoint)
    running = standing.reread(test)
    standing.require_running(running)
    report = analysis.analyse(running, now)
    reason = f"Ended by its own report: {verdicts.in_words(report)}"
    how = Stop(conclusion=verdicts.conclusion_of(report), reason=reason)
    if report.banner != "b_better":
        return stopping.stop(running, how, actor=actor, now=now)
    try:
        return stop_and_promote(running, how, actor=actor, now=now)
    except GateFailed as error:
        why_not = f"{reason} {report.test.challenger.label} is not promoted: {error.message}"
        return stopping.stop(running, replace(how, reason=why_not), actor=actor, now=now)

"""The checks that a version passes before it may answer; each gives a verdict with value and limit.

Gates read models, artefacts and the log; they change nothing, and what cannot be measured is said
in the verdict, never raised.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from endpoints.models import AlgorithmVersion
from endpoints.services.access import Caller
from endpoints.services.gates.calibration import CALIBRATION, calibrated
from endpoints.services.gates.case import Case
from endpoints.services.gates.gate import Check, Gate, Verdict
from endpoints.services.gates.live_inputs import DRIFT, like_the_training
from endpoints.services.gates.metric import METRIC, no_worse
from endpoints.services.gates.people import card_written, looked_at_twice, tested_live
from endpoints.services.gates.question import SCHEMA, same_question
from endpoints.services.gates.reload import LATENCY, fast_enough, smoke_test
from endpoints.services.gates.training import converged

__all__ = ["Case", "Gate", "Verdict", "evaluate", "smoke_test"]

_OF_THE_MODEL: tuple[tuple[Check, Callable[[Case], Gate]], ...] = (
    (LATENCY, fast_enough),
    (SCHEMA, same_question),
    (METRIC, no_worse),
    (CALIBRATION, calibrated),
    (DRIFT, like_the_training),
)
_OF_THE_RECORD: tuple[Callable[[Case], Gate], ...] = (
    converged,
    tested_live,
    card_written,
    looked_at_twice,
)


def evaluate(version: AlgorithmVersion, *, actor: Caller, now: datetime) -> list[Gate]:
    """Run every gate on a candidate, for the person who would decide."""
    case = Case(version, actor, now)
    reloaded = smoke_test(version)
    on_record = [gate(case) for gate in _OF_THE_RECORD]
    if reloaded.verdict == "fail":
        unknown = [check.not_run("The artefact does not load.") for check, _ in _OF_THE_MODEL]
        return [reloaded, *unknown, *on_record]
    return [reloaded, *(gate(case) for _, gate in _OF_THE_MODEL), *on_record]

"""The table of the lifecycle: which verb leads from where to where, who may, and whether it needs a reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from endpoints.models import Status
from endpoints.services.access import Caller, Need

MIN_REASON = 10
MIN_OVERRIDE_REASON = 20


@dataclass(frozen=True)
class Transition:
    """A verb, the statuses it starts from, the one it leads to and the permission it asks for."""

    verb: str
    sources: frozenset[str]
    target: str
    need: Need
    reason_required: bool = True


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Who decides, why and when; `expected_production` is the production version that they saw.

    It is a version's number, 0 for none; None asks for no such check (the command line).
    `submission` names the form or request: sent twice, it changes something once.
    `override` promotes although a gate failed; it asks for Need.OVERRIDE and a longer reason.
    """

    actor: Caller
    now: datetime
    reason: str = ""
    expected_production: int | None = None
    submission: str = ""
    override: bool = False


def _from(*statuses: str) -> frozenset[str]:
    return frozenset(statuses)


TESTING, STAGING, AB_TESTING, PRODUCTION, ARCHIVED = (
    Status.TESTING,
    Status.STAGING,
    Status.AB_TESTING,
    Status.PRODUCTION,
    Status.ARCHIVED,
)

TRANSITIONS = MappingProxyType(
    {
        step.verb: step
        for step in (
            Transition("stage", _from(TESTING), STAGING, Need.STAGE, reason_required=False),
            Transition(
                "request", _from(TESTING, STAGING), STAGING, Need.REQUEST, reason_required=False
            ),
            Transition("withdraw", _from(STAGING), TESTING, Need.STAGE),
            Transition("reject", _from(STAGING), TESTING, Need.PROMOTE),
            Transition("start_test", _from(STAGING), AB_TESTING, Need.PROMOTE),
            Transition("stop_test", _from(AB_TESTING), STAGING, Need.PROMOTE),
            Transition("promote", _from(STAGING, AB_TESTING), PRODUCTION, Need.PROMOTE),
            Transition("replace", _from(PRODUCTION), ARCHIVED, Need.PROMOTE),
            Transition("roll_back", _from(ARCHIVED), PRODUCTION, Need.ROLL_BACK),
            Transition("archive", _from(TESTING, STAGING, PRODUCTION), ARCHIVED, Need.ARCHIVE),
            Transition("restore", _from(ARCHIVED), TESTING, Need.ARCHIVE),
        )
    }
)
"""`replace` happens to the production version when another takes its place."""

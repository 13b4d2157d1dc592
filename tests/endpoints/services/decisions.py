"""Short ways to decide in tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from endpoints.services.access import Caller
from endpoints.services.transitions import Decision

NOON = datetime(2026, 11, 12, 12, 0, tzinfo=UTC)
REASON = "better on the new harvest"


def decision(
    *, by: str = "alex", reason: str = REASON, minutes: int = 0, seen: int | None = None
) -> Decision:
    return Decision(
        actor=Caller(system=by),
        now=NOON + timedelta(minutes=minutes),
        reason=reason,
        expected_production=seen,
    )

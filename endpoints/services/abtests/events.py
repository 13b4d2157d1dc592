"""Writes what people do with tests into the audit log, in the transaction of what they do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from endpoints.models import ABTest
from endpoints.services import audit
from endpoints.services.access import Caller

_LONGEST = 200


def record(verb: str, test: ABTest, *, actor: Caller, now: datetime, **facts: Any) -> None:
    """Add one event about a test. Facts: before, after (JSON) and reason."""
    subject = f"A/B test “{test.title}”"
    if len(subject) > _LONGEST:
        subject = f"{subject[: _LONGEST - 2]}…”"
    audit.record(verb, actor=actor, endpoint=test.endpoint, subject=subject, now=now, **facts)


def said(test: ABTest, names: Sequence[str]) -> dict[str, Any]:
    """Return settings of a test as JSON has them; a version is its number."""
    told = {name: getattr(test, name) for name in names}
    if "challenger" in told:
        told["challenger"] = test.challenger.number
    return told

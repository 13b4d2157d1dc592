"""What a gate says: its verdict, in words, with the value that it found against its limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["pass", "warn", "fail", "not_run"]


@dataclass(frozen=True)
class Gate:
    """One check as it stood: `value` against `limit`, both as text with their units."""

    code: str
    name: str
    verdict: Verdict
    message: str
    value: str = ""
    limit: str = ""


@dataclass(frozen=True)
class Check:
    """What is checked, before anything is known about a version."""

    code: str
    name: str

    def gate(self, verdict: Verdict, message: str, value: str = "", limit: str = "") -> Gate:
        return Gate(self.code, self.name, verdict, message, value, limit)

    def not_run(self, why: str) -> Gate:
        return self.gate("not_run", why)

"""What the readers of windows are asked, and what they answer; it reads nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from endpoints.models import AlertRule, AlgorithmVersion


@dataclass(frozen=True)
class Asked:
    """For which rule and version; windows with fewer than `min_rows` tell nothing."""

    rule: AlertRule
    version: AlgorithmVersion
    since: datetime
    now: datetime
    min_rows: int


@dataclass(frozen=True)
class Reading:
    """The metric in one window; n is the number of rows, labels, requests or events that it is of."""

    start: datetime
    end: datetime
    value: float
    n: int
    is_open: bool

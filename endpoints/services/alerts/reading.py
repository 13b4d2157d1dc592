"""What the readers of windows are asked, and what they answer; it reads nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from endpoints.models import AlertRule, AlgorithmVersion
from endpoints.models.monitoring import Window
from endpoints.services.monitoring.windows import LENGTHS, end_of, start_of

SPARE = 3
"""Windows to go back beyond those that a rule asks for, since some may tell nothing."""
LEAST_REACH = timedelta(days=1)
"""A quiet night must not part two hours, nor hide those whose labels come in the morning."""
REACH_BY_COUNT = timedelta(days=7)
"""How far back windows by a number of rows are looked for."""


@dataclass(frozen=True)
class Asked:
    """For which rule and version; windows with fewer than `min_rows` tell nothing."""

    rule: AlertRule
    version: AlgorithmVersion
    since: datetime
    now: datetime
    min_rows: int

    @property
    def oldest(self) -> datetime:
        """Windows that ended by then tell nothing of today, or are not the version's own."""
        window = self.rule.window
        if window == Window.ROWS:
            return max(self.since, self.now - REACH_BY_COUNT)
        reach = max(LENGTHS[window] * (self.rule.consecutive + SPARE), LEAST_REACH)
        return max(self.since, end_of(window, start_of(window, self.now)) - reach)


@dataclass(frozen=True)
class Reading:
    """The metric in one window; n is the number of rows, labels, requests or events that it is of."""

    start: datetime
    end: datetime
    value: float
    n: int
    is_open: bool

"""The spans of time that pages speak of, and the bars that they are drawn in; it knows no tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from endpoints.models.roll_up import Span

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """A span of time that ends now, and the width of a bar in its chart."""

    code: str
    label: str
    length: timedelta
    bar: timedelta

    @property
    def counted_by(self) -> Span:
        """The longest spans of counting that add up to a bar."""
        return Span.HOUR if self.bar >= timedelta(hours=1) else Span.MINUTE

    def starts(self, now: datetime) -> list[datetime]:
        """Return the starts of the bars: whole multiples of their width, the last one still open."""
        width = int(self.bar.total_seconds())
        last = datetime.fromtimestamp(int(now.timestamp()) // width * width, tz=now.tzinfo)
        bars = self.length // self.bar
        return [last - self.bar * (bars - 1 - place) for place in range(bars)]


PERIODS = {
    period.code: period
    for period in (
        Period("1h", "1 hour", timedelta(hours=1), timedelta(minutes=2)),
        Period("24h", "24 hours", DAY, timedelta(hours=1)),
        Period("7d", "7 days", 7 * DAY, timedelta(hours=4)),
        Period("30d", "30 days", 30 * DAY, DAY),
    )
}
LAST_DAY = PERIODS["24h"]

"""Fills the demo's log up to a given size, as months of traffic would have; runs inside of Django.

Requests go through the tables and tallies of the log itself, only in larger groups. It must not know
what is measured afterwards.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import orjson
from django.db import connection
from django.utils import timezone

from endpoints import request_ids
from endpoints.models import Feedback, PredictionRequest
from endpoints.models.roll_up import MINUTES_ARE_KEPT, LabelCount, Span
from endpoints.services import histograms
from endpoints.services.log_tables import Counted, open_tables
from endpoints.services.tallies import Answered, Entry, Tallies

SPAN = timedelta(days=90)
GROUP = 20_000
LABELLED, WRONG = 4, 32
"""One request in so many has a true label; one in so many has one that is not what was predicted."""


class Template(NamedTuple):
    """A request that the demo answered, and the number of the version that did."""

    entry: Entry
    number: int

    def at(self, moment: datetime) -> Answered:
        entry = self.entry._replace(id=request_ids.new(moment).hex, created_at=moment)
        assert entry.probability is not None
        scores = {histograms.score_bin(entry.probability): 1}
        return Answered(entry, self.number, int(entry.predictions == "[1]"), scores)


@dataclass
class Labels:
    """True labels for some of the requests, and the counts that belong to them."""

    classes: Sequence[str]
    counted: Counter[tuple[int, int, Span, datetime, str, str]] = field(default_factory=Counter)

    def add(self, answered: Sequence[Answered], *, oldest_minute: datetime) -> None:
        rows = []
        for position, item in enumerate(answered[::LABELLED]):
            is_right = position % (WRONG // LABELLED) != 0
            label = self._label(item.entry, is_right)
            rows.append(label)
            for span in Span:
                if span is Span.HOUR or item.entry.created_at >= oldest_minute:
                    start = span.start(item.entry.created_at)
                    place = item.entry.endpoint_id, item.number, span, start
                    self.counted[*place, item.entry.label, label.label] += 1
        Feedback.objects.bulk_create(rows, batch_size=2_000)

    def _label(self, entry: Entry, is_right: bool) -> Feedback:
        other = next(name for name in self.classes if name != entry.label)
        return Feedback(
            request_id=UUID(entry.id),
            label=entry.label if is_right else other,
            correct=is_right,
            created_at=entry.created_at + timedelta(hours=1),
            actor_name="benchmark",
        )

    def store(self) -> None:
        """Add to what the demo has counted."""
        names = ("endpoint_id", "number", "seconds", "start", "predicted", "label")
        for key, rows in self.counted.items():
            place = dict(zip(names, key, strict=True))
            present = LabelCount.objects.filter(**place).first()
            if present is None:
                present = LabelCount(**place, rows=0)
            present.rows += rows
            present.save()


def templates() -> list[Template]:
    """What the version in production has answered."""
    log = PredictionRequest.objects.filter(version__status="production", row_count=1)
    numbers = dict(log.order_by().values_list("version", "version__number").distinct())
    found = (Entry(*row) for row in log.values_list(*Entry._fields))
    return [Template(_packed(entry), numbers[entry.version_id]) for entry in found]


def _packed(entry: Entry) -> Entry:
    """As the columns hold it; a query has unpacked it."""
    return entry._replace(
        source="api",
        protocol="native",
        inputs=_text(entry.inputs),
        imputed=_text(entry.imputed),
        probabilities=_text(entry.probabilities),
        predictions=_text(entry.predictions),
        shadow=_text(entry.shadow),
    )


def _text(value: object) -> str:
    return orjson.dumps(value).decode()


def fill(total: int) -> None:
    """Write what is missing, and print which request lies in the middle."""
    patterns, now = templates(), timezone.now()
    missing = total - PredictionRequest.objects.count()
    step = SPAN / missing
    tables, tallies = open_tables(), Tallies()
    labels = Labels(sorted({pattern.entry.label for pattern in patterns}))
    for start in range(0, missing, GROUP):
        answered = [
            patterns[position % len(patterns)].at(now - SPAN + step * position)
            for position in range(start, min(start + GROUP, missing))
        ]
        changed = tallies.with_these(answered, ())
        lasting = {
            key: tally
            for key, tally in changed.items()
            if key.span is Span.HOUR or key.start >= now - MINUTES_ARE_KEPT
        }
        counted = Counted(tallies.writer, lasting, tallies.arms.with_these(()))
        tables.write([item.entry for item in answered], counted)
        tallies.keep(changed)
        labels.add(answered, oldest_minute=now - MINUTES_ARE_KEPT)
    labels.store()
    tables.close()
    vacuum()
    print(json.dumps(middle(now - SPAN / 2)))


def middle(moment: datetime) -> dict[str, str]:
    found = PredictionRequest.objects.since(moment).order_by("id")[0]
    return {"id": str(found.pk), "moment": found.created_at.isoformat()}


def vacuum() -> None:
    """What PostgreSQL does by itself in time; it never analyses the table above the partitions."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'endpoints_%'"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f'VACUUM ANALYZE "{table}"')

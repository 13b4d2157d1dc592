"""Logged requests read in the order of time, in blocks of rows that fit into memory; it writes nothing.

It knows nothing of who reads them and what for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import orjson
from django.db.models import TextField
from django.db.models.functions import Cast

from endpoints.models import Feedback
from endpoints.models.prediction import PredictionRequestQuerySet

ROWS = 20_000
"""A block ends at the request that reaches so many rows."""
PAGE, CHUNK = 10_000, 100
"""Requests that one query asks for, and that come from the database at a time."""
TEXTS = ("id", "inputs", "imputed", "probabilities", "predictions")

Place = tuple[str, int]
"""A request id, and the row within the request."""


class Entry(NamedTuple):
    """A logged request, its lists still as text: all of a block are read at once."""

    version_id: int
    row_count: int
    id: str
    inputs: str
    imputed: str
    probabilities: str
    predictions: str


def blocks(logged: PredictionRequestQuerySet, limit: int | None) -> Iterator[list[Entry]]:
    """Yield the requests, the oldest first, at most `limit` of them."""
    block: list[Entry] = []
    rows = 0
    for entry in _entries(logged, limit):
        block.append(entry)
        rows += entry.row_count
        if rows >= ROWS:
            yield block
            block, rows = [], 0
    if block:
        yield block


def _entries(logged: PredictionRequestQuerySet, limit: int | None) -> Iterator[Entry]:
    """Page by page, each by the key of the last: one query over all would hold up the database."""
    texts = {f"{name}_text": Cast(name, TextField()) for name in TEXTS}
    ordered = logged.order_by("id").annotate(**texts).values_list("version_id", "row_count", *texts)
    rest, left = ordered, limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        entry = None
        for entry in map(Entry._make, rest[:size].iterator(chunk_size=CHUNK)):
            yield entry
        if entry is None:
            return
        rest = ordered.filter(id__gt=UUID(entry.id))
        left = None if left is None else left - size


Labels = dict[str, list[tuple[int, str]]]
"""True labels, row and name, by the id of their request as the entries have it."""


def labels_of(block: Sequence[Entry]) -> Labels:
    found: Labels = {}
    has_dashes = "-" in block[0].id  # the databases write ids differently
    current = Feedback.objects.filter(
        current=True, request_id__gte=UUID(block[0].id), request_id__lte=UUID(block[-1].id)
    ).order_by()
    for request_id, row, label in current.values_list("request_id", "row", "label"):
        text = str(request_id) if has_dashes else request_id.hex
        found.setdefault(text, []).append((row, label))
    return found


class Rows:
    """The rows of requests that one version answered."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._ends = np.cumsum([entry.row_count for entry in entries])

    def __len__(self) -> int:
        return int(self._ends[-1])

    @cached_property
    def inputs(self) -> list[list[Any]]:
        return _together(entry.inputs for entry in self._entries)

    @property
    def predictions(self) -> list[int]:
        return _together(entry.predictions for entry in self._entries)

    @property
    def probabilities(self) -> list[Any]:
        return _together(entry.probabilities for entry in self._entries)

    @property
    def holes(self) -> dict[str, list[int]]:
        """By column the rows whose cell was missing and was filled."""
        found: dict[str, list[int]] = {}
        for number, entry in enumerate(self._entries):
            if entry.imputed != "[]":
                for row, names in enumerate(orjson.loads(entry.imputed)):
                    for name in names:
                        found.setdefault(name, []).append(self._start(number) + row)
        return found

    def labels(self, labels: Labels) -> Iterator[tuple[int, str]]:
        """The numbers of labelled rows, with their true labels."""
        if labels:
            for number, entry in enumerate(self._entries):
                for row, label in labels.get(entry.id, ()):
                    yield self._start(number) + row, label

    def place(self, row: int) -> Place:
        number = int(np.searchsorted(self._ends, row, side="right"))
        return str(UUID(self._entries[number].id)), row - self._start(number)

    def _start(self, number: int) -> int:
        return int(self._ends[number]) - self._entries[number].row_count


def _together(texts: Iterator[str]) -> list[Any]:
    """Read many JSON lists in one go, as one list."""
    return list(chain.from_iterable(orjson.loads(f"[{','.join(texts)}]")))

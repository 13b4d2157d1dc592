"""Grows the windows of one version by requests from the log; it judges nothing and stores nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from django.db.models import Q
from numpy.typing import NDArray

from endpoints import request_ids
from endpoints.models import AlgorithmVersion, DriftReport
from endpoints.models.monitoring import Window
from endpoints.services.logged_rows import Entry, Rows
from endpoints.services.monitoring.windows import INSTANT, LENGTHS, end_of, start_of
from mlcore.arrays import FloatArray
from mlcore.classifier import Classifier
from mlcore.errors import DataError
from mlcore.schema import Schema
from mlcore.window import Window as Summary

logger = logging.getLogger(__name__)

Key = tuple[str, datetime]
"""A window of a version: its kind and when it began."""


@dataclass
class Grown:
    """A window with rows that are new to it. The end of one by count is that of its newest row."""

    window: str
    start: datetime
    end: datetime
    summary: Summary
    is_open: bool = True


class Piece(NamedTuple):
    """Requests one after another that lie in the same hour and in the same window by count."""

    entries: Sequence[Entry]
    first: datetime
    last: datetime
    fills: bool


def grow(
    version: AlgorithmVersion, classifier: Classifier, entries: Sequence[Entry], window_rows: int
) -> list[Grown]:
    """Return the windows that these requests belong to, with their rows added.

    The requests are the version's, in the order of time; they follow all that were added before.
    """
    empty = Summary.empty(classifier.profile)
    known = _Known(version, empty, moment_of(entries[0]), moment_of(entries[-1]))
    grown: dict[Key, Grown] = {}
    by_count = known.newest_by_count()
    for piece in pieces(entries, _left(by_count, window_rows), window_rows):
        rows = summarised(empty, classifier.schema, Rows(piece.entries))
        for window in LENGTHS:
            key = window, start_of(window, piece.first)
            found = grown.get(key) or grown.setdefault(key, known.by_time(*key))
            found.summary = found.summary.merge(rows)
        if by_count is None or not by_count.is_open:
            by_count = known.next_by_count(by_count, piece.first)
        by_count.summary = by_count.summary.merge(rows)
        by_count.end, by_count.is_open = piece.last, not piece.fills
        grown[by_count.window, by_count.start] = by_count
    return list(grown.values())


def summarised(empty: Summary, schema: Schema, rows: Rows) -> Summary:
    """Return the summary of logged rows: what was sent, and how it was answered."""
    summary = empty.merge(empty)
    summary.add(
        _columns(rows, schema),
        probabilities=np.array(rows.probabilities, dtype=np.float64),
        predicted=np.array(rows.predictions, dtype=np.int64),
    )
    return summary


def _columns(rows: Rows, schema: Schema) -> FloatArray | dict[str, NDArray[Any]]:
    """Return logged rows as a matrix where all columns are numbers, else as an array for each."""
    if schema.is_numeric:
        matrix = np.array(rows.inputs, dtype=np.float64)
        for name, missing in rows.holes.items():
            matrix[missing, schema.names.index(name)] = np.nan
        return matrix
    columns: dict[str, NDArray[Any]] = {
        column.name: np.array(cells, dtype=np.float64 if column.kind == "number" else np.object_)
        for column, cells in zip(schema.columns, zip(*rows.inputs, strict=True), strict=True)
    }
    for name, missing in rows.holes.items():
        columns[name][missing] = np.nan
    return columns


def pieces(entries: Sequence[Entry], left: int, window_rows: int) -> Iterator[Piece]:
    """Cut requests where an hour ends and where a window by count is full, which has `left` rows to go."""
    piece: list[Entry] = []
    first = last = moment_of(entries[0])
    for entry in entries:
        moment = moment_of(entry)
        if piece and start_of(Window.HOUR, moment) != start_of(Window.HOUR, first):
            yield Piece(piece, first, last, fills=False)
            piece = []
        first, last = (first if piece else moment), moment
        piece.append(entry)
        left -= entry.row_count
        if left <= 0:
            yield Piece(piece, first, last, fills=True)
            piece, left = [], window_rows
    if piece:
        yield Piece(piece, first, last, fills=False)


def moment_of(entry: Entry) -> datetime:
    return request_ids.moment_of(UUID(entry.id))


def _left(by_count: Grown | None, window_rows: int) -> int:
    """Return how many rows fill the newest window by count, or the next one if it is full."""
    if by_count is None or not by_count.is_open:
        return window_rows
    return max(1, window_rows - by_count.summary.n_rows)


class _Known:
    """What is stored of the windows of a version in the time of a block."""

    def __init__(
        self, version: AlgorithmVersion, empty: Summary, first: datetime, last: datetime
    ) -> None:
        self._version, self._empty = version, empty
        within = Q()
        for window in LENGTHS:
            within |= Q(window=window, start__gte=start_of(window, first), start__lte=last)
        stored = DriftReport.objects.filter(within, version=version)
        self._reports = {(report.window, report.start): report for report in stored}

    def by_time(self, window: str, start: datetime) -> Grown:
        report = self._reports.get((window, start))
        return Grown(window, start, end_of(window, start), self._summary(report))

    def newest_by_count(self) -> Grown | None:
        stored = DriftReport.objects.filter(version=self._version, window=Window.ROWS)
        newest = stored.order_by("-start").first()
        if newest is None:
            return None
        summary = self._summary(newest if newest.is_open else None)
        return Grown(Window.ROWS, newest.start, newest.end, summary, newest.is_open)

    def next_by_count(self, before: Grown | None, first: datetime) -> Grown:
        """Begin at the first request, but never twice at the same moment."""
        start = first if before is None else max(first, before.start + INSTANT)
        return Grown(Window.ROWS, start, start, self._summary(None))

    def _summary(self, report: DriftReport | None) -> Summary:
        """Begin anew where there is no summary, or one that this program cannot read."""
        if report is not None and report.summary is not None:
            try:
                return Summary.read(bytes(report.summary), self._empty.layout)
            except DataError as error:
                logger.warning("%s begins anew: %s", report, error)
        return self._empty

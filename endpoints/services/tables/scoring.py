"""Scores a file piece by piece, whichever format it has; the pieces after one another are the results.

Rows are independent of one another and of the pieces: from the end of any piece the rest can be
scored by another worker, and is the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from endpoints.services.tables import csv_scoring, parquet_files, parquet_scoring
from endpoints.services.tables.csv_scoring import CHUNK_BYTES
from endpoints.services.tables.parquet_files import join
from endpoints.services.tables.plans import ERRORS_HEADER, Chunk, Position, Preview, ScoringPlan
from endpoints.services.tables.tallies import Tally
from mlcore.alive import Alive

__all__ = [
    "CHUNK_BYTES",
    "ERRORS_HEADER",
    "Chunk",
    "Position",
    "Preview",
    "ScoringPlan",
    "Tally",
    "chunks",
    "count_rows",
    "first_rows",
    "header",
    "join",
    "writes_formulas",
]


def header(plan: ScoringPlan) -> bytes:
    """What stands before the first piece: of a CSV file its header with the names of the answers."""
    return b"" if _is_parquet(plan) else csv_scoring.header(plan)


def writes_formulas(plan: ScoringPlan) -> bool:
    """Whether a spreadsheet could run the header of the results, or what every row may hold beside its own cells."""
    return not _is_parquet(plan) and csv_scoring.writes_formulas(plan)


def count_rows(plan: ScoringPlan, alive: Alive) -> int:
    if _is_parquet(plan):
        return parquet_files.n_rows(plan.source)
    return csv_scoring.count_rows(plan, alive)


def first_rows(plan: ScoringPlan, n: int = 10) -> list[Preview]:
    way = parquet_scoring.first_rows if _is_parquet(plan) else csv_scoring.first_rows
    return way(plan, n)


def chunks(
    plan: ScoringPlan, position: Position | None = None, *, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[Chunk]:
    """Score from a position on: the start, or the end of a piece.

    The results of a CSV file are lines that follow one another; those of a Parquet file are Parquet files,
    which `join` puts together. Errors are lines of CSV below `ERRORS_HEADER`.
    """
    way = parquet_scoring.chunks if _is_parquet(plan) else csv_scoring.chunks
    return way(plan, position or plan.start, chunk_bytes)


def _is_parquet(plan: ScoringPlan) -> bool:
    return plan.reading.format == "parquet"

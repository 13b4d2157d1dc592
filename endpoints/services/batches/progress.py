"""How far the scoring of a batch came, as the job's cursor keeps it: a later worker goes on from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from endpoints.services.batches.reports import FeedbackCounts
from endpoints.services.tables.plans import Chunk, Position
from endpoints.services.tables.tallies import Tally


@dataclass(frozen=True)
class Progress:
    """`place` and `errors` are where the next results and problems go in their files; `missing_values` is
    the endpoint's policy when the scoring began: all rows are scored by the same. So it is with `chunk_bytes`,
    since the ids of log entries follow from where a chunk begins."""

    missing_values: str
    chunk_bytes: int
    position: Position
    place: int
    errors: int
    tally: Tally
    rows: int = 0
    bad: int = 0
    logged: int = 0
    feedback: FeedbackCounts = FeedbackCounts()

    def after(self, chunk: Chunk, place: int, errors: int) -> Progress:
        return replace(
            self,
            position=chunk.end,
            place=place,
            errors=errors,
            tally=self.tally.plus(chunk.tally),
            rows=self.rows + chunk.n_rows,
            bad=self.bad + chunk.n_bad,
        )

    def to_cursor(self) -> dict[str, Any]:
        return {
            "in": self.position.offset,
            "row": self.position.row,
            "out": self.place,
            "err": self.errors,
            "rows": self.rows,
            "bad": self.bad,
            "logged": self.logged,
            "labels": [self.feedback.stored, self.feedback.invalid],
            "missing_values": self.missing_values,
            "chunk_bytes": self.chunk_bytes,
            "tally": self.tally.to_dict(),
        }

    @classmethod
    def from_cursor(cls, cursor: Mapping[str, Any]) -> Self:
        return cls(
            missing_values=cursor["missing_values"],
            chunk_bytes=cursor["chunk_bytes"],
            position=Position(cursor["in"], cursor["row"]),
            place=cursor["out"],
            errors=cursor["err"],
            tally=Tally.from_dict(cursor["tally"]),
            rows=cursor["rows"],
            bad=cursor["bad"],
            logged=cursor["logged"],
            feedback=FeedbackCounts(*cursor["labels"]),
        )

"""Which columns a model needs, and which of them stand for each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Report = Mapping[str, Any]
MOST_ROWS, TOP_ROWS = 20, 12
HIGH_VIF = 10.0


@dataclass(frozen=True)
class ImportanceRow:
    """A column, or a group of columns that move together (`members`), shuffled."""

    name: str
    members: tuple[str, ...]
    found: Report


@dataclass(frozen=True)
class Importance:
    """`low` and `high` are the ends of the axis that all bars share."""

    columns: tuple[ImportanceRow, ...]
    groups: tuple[ImportanceRow, ...]
    low: float
    high: float
    facts: Report

    @property
    def top(self) -> tuple[ImportanceRow, ...]:
        return self.columns if len(self.columns) <= MOST_ROWS else self.columns[:TOP_ROWS]

    @property
    def rest(self) -> tuple[ImportanceRow, ...]:
        return self.columns[len(self.top) :]


@dataclass(frozen=True)
class CollinearRow:
    name: str
    vif: float | None
    words: str
    partners: tuple[str, ...]


@dataclass(frozen=True)
class Collinearity:
    rows: tuple[CollinearRow, ...]
    condition_number: float | None
    warnings: tuple[str, ...]

    @property
    def top(self) -> tuple[CollinearRow, ...]:
        return self.rows if len(self.rows) <= MOST_ROWS else self.rows[:TOP_ROWS]

    @property
    def rest(self) -> tuple[CollinearRow, ...]:
        return self.rows[len(self.top) :]


def of(report: Report, columns: Sequence[str]) -> Importance | None:
    """Return the most needed first; whatever is not one of the columns is a group of them."""
    found = report.get("importance")
    if not found or not found["rows"]:
        return None
    known = set(columns)
    rows = sorted(found["rows"], key=lambda row: -row["log_loss_increase"])
    alone = tuple(ImportanceRow(r["name"], (), r) for r in rows if r["name"] in known)
    groups = tuple(
        ImportanceRow(r["name"], tuple(r["name"].split(" + ")), r)
        for r in rows
        if r["name"] not in known
    )
    return Importance(
        columns=alone,
        groups=groups,
        low=min(0.0, *(row["log_loss_low"] for row in rows)),
        high=max(0.0, *(row["log_loss_high"] for row in rows)),
        facts=found,
    )


def collinearity(report: Report) -> Collinearity | None:
    """Return the columns that follow most from the others first."""
    found = report.get("collinearity")
    if not found or len(found["columns"]) < 2:
        return None
    names = [row["name"] for row in found["columns"]]
    partners = {
        place: tuple(names[other] for other in group if other != place)
        for group in found["groups"]
        for place in group
    }
    rows = [
        CollinearRow(row["name"], row["vif"], _words(row), partners.get(place, ()))
        for place, row in enumerate(found["columns"])
    ]
    rows.sort(key=lambda row: -(float("inf") if row.vif is None else row.vif))
    return Collinearity(
        tuple(rows), found.get("condition_number"), tuple(found.get("warnings", ()))
    )


def _words(row: Report) -> str:
    if row["constant"]:
        return "constant"
    if row["exact"]:
        return "follows exactly"
    return "nearly follows" if row["vif"] is not None and row["vif"] > HIGH_VIF else ""

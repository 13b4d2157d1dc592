"""Which filter of the predictions page finds the rows behind a number of the drift page; it asks no database.

Each query is "" where there is nothing to find: nothing was counted, nothing was logged, or whoever looks
may not see the inputs of rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from endpoints.matching import Cells
from endpoints.models import FeatureDrift
from endpoints.services.monitoring.reports import RowsBehind

OF_A_MEASURE = MappingProxyType(
    {
        "missing": Cells.MISSING,
        "out_of_range": Cells.OUTSIDE,
        "unseen": Cells.UNSEEN,
        "constant": Cells.PRESENT,
        "wasserstein": Cells.PRESENT,
        "z_shift": Cells.PRESENT,
        "ks": Cells.PRESENT,
        "mann_whitney": Cells.PRESENT,
    }
)
"""Measures of a feature; the others are of all rows, also of those without a value."""


@dataclass(frozen=True)
class Behind:
    """The rows of one report, as far as whoever looks may see into them; `rows` is None of a file."""

    rows: RowsBehind | None = None
    sees_inputs: bool = False

    @property
    def all(self) -> str:
        return self.rows.live() if self.rows is not None else ""

    def cells(self, column: FeatureDrift, cells: Cells, count: int) -> str:
        """Find the cells of a feature, of which there are so many."""
        return self._narrowed(column, feature=column.name, cells=cells.value) if count else ""

    def measured(self, column: FeatureDrift, name: str, count: int) -> str:
        """Find what a measure was computed from: `count` is the number of such cells."""
        is_feature = column.kind in FeatureDrift.INPUTS
        if name not in OF_A_MEASURE or not is_feature:
            return self.all
        return self.cells(column, OF_A_MEASURE[name], count)

    def bins(self, column: FeatureDrift) -> list[str]:
        """Find the rows of each bin, in their order."""
        conditions = [*_ranges(column.bins.get("edges", ())), *_levels(column)]
        return [self._narrowed(column, **_of(column), **found) for found in conditions]

    def _narrowed(self, column: FeatureDrift, **conditions: object) -> str:
        is_hidden = column.kind in FeatureDrift.INPUTS and not self.sees_inputs
        if self.rows is None or is_hidden:
            return ""
        return self.rows.live(**conditions)


def _of(column: FeatureDrift) -> Mapping[str, Any]:
    if column.kind == FeatureDrift.Kind.SCORE:
        return {"cells": Cells.SCORE.value}
    if column.kind == FeatureDrift.Kind.PREDICTION:
        return {"cells": Cells.PREDICTED.value}
    cells = Cells.BETWEEN if column.kind == FeatureDrift.Kind.NUMBER else Cells.LEVEL
    return {"feature": column.name, "cells": cells.value}


def _levels(column: FeatureDrift) -> list[dict[str, object]]:
    return [{"level": level} for level in column.bins.get("levels", ())]


def _ranges(edges: Sequence[float]) -> list[dict[str, object]]:
    """Return each bin between edges as a range that leaves out its lower end.

    An edge that stands twice is a bin of that value alone, and what is up to it is less than it.
    """
    if not edges:
        return []
    ends = list(edges)
    if len(ends) > 1 and ends[0] == ends[1]:
        ends[0] = math.nextafter(ends[0], -math.inf)
    lows: list[float | None] = [None, *ends]
    highs: list[float | None] = [*ends, None]
    return [
        {key: repr(end) for key, end in (("above", low), ("up_to", high)) if end is not None}
        for low, high in zip(lows, highs, strict=True)
    ]

"""A line of the drift page: one feature or output, its bins and measures, each with the rows behind it.

It knows neither the report as a whole nor a request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.formats import plain
from dashboard.presenters.behind import Behind
from endpoints.matching import Cells
from endpoints.models import FeatureDrift

OUTPUT_NAMES = {"score": "Probability", "prediction": "Predicted class", "label": "True label"}
MEASURES = {
    "wasserstein": "Wasserstein distance, in sd",
    "z_shift": "Shift of the mean, in sd",
    "psi": "Population stability index",
    "ks": "Kolmogorov-Smirnov",
    "mann_whitney": "Mann-Whitney",
    "jensen_shannon": "Jensen-Shannon distance",
    "l_infinity": "Largest change of a share",
    "chi_square": "Chi-square",
    "missing": "Missing values, share more than in training",
    "out_of_range": "Out of the training's range, share",
    "unseen": "Categories not in the training, share",
    "constant": "Only one value now",
}


@dataclass(frozen=True)
class BinRow:
    """`query` finds the live rows, where whoever looks may see them."""

    name: str
    reference: float
    live: float
    query: str


@dataclass(frozen=True)
class Measure:
    label: str
    found: Mapping[str, Any]
    behind: str

    @property
    def value(self) -> float | None:
        """A test shows its statistic, a distance what is held against the limit."""
        shown: float | None = self.found[
            "statistic" if self.found["direction"] == "below" else "value"
        ]
        return shown

    @property
    def query(self) -> str:
        return "" if self.value is None else self.behind


@dataclass(frozen=True)
class Row:
    """A feature, or one of the outputs, with the way its shift went; `impact` is in log-odds."""

    column: FeatureDrift
    trend: tuple[float | None, ...]
    impact: float | None
    n_rows: int
    behind: Behind

    @property
    def name(self) -> str:
        return OUTPUT_NAMES.get(self.column.kind, self.column.name)

    @property
    def beyond(self) -> int:
        """How many values the training never saw: out of its range, or of no known level."""
        return self.column.out_of_range + self.column.unseen

    @property
    def with_value(self) -> int:
        return self.n_rows - self.column.missing

    @property
    def with_value_query(self) -> str:
        """All rows where there is nothing to tell them apart by, or nobody may look."""
        if self.column.kind not in FeatureDrift.INPUTS:
            return self.behind.all
        return self.behind.cells(self.column, Cells.PRESENT, self.with_value) or self.behind.all

    @property
    def missing_query(self) -> str:
        return self.behind.cells(self.column, Cells.MISSING, self.column.missing)

    @property
    def beyond_query(self) -> str:
        is_number = self.column.kind == FeatureDrift.Kind.NUMBER
        return self.behind.cells(
            self.column, Cells.OUTSIDE if is_number else Cells.UNSEEN, self.beyond
        )

    @property
    def reference(self) -> Sequence[float]:
        shares: Sequence[float] = self.column.bins.get("reference", ())
        return shares

    @property
    def live(self) -> Sequence[float]:
        """The live shares, none where no row has a value."""
        shares: Sequence[float] = self.column.bins.get("live", ())
        return shares if any(shares) else ()

    @property
    def bins(self) -> list[BinRow]:
        names = self.column.bins.get("levels") or _ranges(self.column.bins.get("edges", ()))
        live = self.live or (0.0,) * len(self.reference)
        queries = self.behind.bins(self.column)
        bins = zip(names, self.reference, live, queries, strict=False)
        return [
            BinRow(name, reference, now, query if now else "")
            for name, reference, now, query in bins
        ]

    @property
    def measures(self) -> list[Measure]:
        counts = {
            "missing": self.column.missing,
            "out_of_range": self.column.out_of_range,
            "unseen": self.column.unseen,
        }
        measures = []
        for found in self.column.results:
            name = found["name"]
            query = self.behind.measured(self.column, name, counts.get(name, self.with_value))
            measures.append(Measure(MEASURES.get(name, name), found, query))
        return measures


def _ranges(edges: Sequence[float]) -> list[str]:
    """Name the bins between edges; where two edges are the same, the bin is that value alone."""
    if not edges:
        return []
    names = [f"up to {plain(edges[0])}"]
    for low, high in zip(edges, edges[1:], strict=False):
        names.append(plain(high) if low == high else f"{plain(low)} to {plain(high)}")
    return [*names, f"above {plain(edges[-1])}"]

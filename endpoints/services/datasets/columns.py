"""What a dataset's profile says of a column, and how it is judged from counts; it reads no files.

`ColumnProfile.to_dict` is what `Dataset.columns` holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from endpoints.services.tables.storable import storable
from mlcore.errors import cut
from mlcore.features import MOST_LEVELS, NUMBER_SHARE

Kind = Literal["number", "category", "text", "constant"]
USABLE = ("number", "category")
"""The kinds that a model can read."""
BINS = 20
LEVELS_SHOWN = 20
EXAMPLES = 3
MOST_LISTED = 2 * MOST_LEVELS
"""Values that are counted one by one: a target may have more than a feature."""
LEAST_ROWS = 20
"""Of fewer it is no wonder that all differ."""
ROWS_WITH_GAPS, GAPS = 100, 10
"""So many whole numbers, all different and within a range of so many times the rows, are no measurement:
that would repeat itself."""
NEARLY_ALL = 0.97
"""An estimate may be a little below what it estimates."""
_NUMBERS_ROWS = "It numbers the rows: it may be an identifier."
_NAMES_ROWS = "No two rows have the same value: it may be an identifier."


def is_feature(column: Mapping[str, Any]) -> bool:
    """Whether a training learns from this column of a profile where nobody names columns.

    Older profiles do not say so.
    """
    return bool(column.get("feature", column["kind"] in USABLE))


def warning_of(column: Mapping[str, Any]) -> str:
    """Return the warning with the cell that it is about: for those who may read single rows."""
    warning, odd = str(column.get("warning") or ""), column.get("odd")
    return f"{warning} Such as “{odd}”." if odd else warning


def general_warning_of(column: Mapping[str, Any]) -> str:
    """Return the warning alone. Older profiles have the cell within it."""
    warning = str(column.get("warning") or "")
    general, is_within, _ = warning.partition(", such as ")
    return f"{general}." if is_within else warning


@dataclass(frozen=True, kw_only=True)
class ColumnProfile:
    """`missing` and `distinct` count rows and values; levels are the most frequent, with their counts. A
    `feature` is learnt from where nobody names columns; `odd` is a cell that the warning is about, `no_value`
    the first word that counts as a missing value."""

    name: str
    kind: Kind
    missing: int
    distinct: int
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    sd: float | None = None
    levels: Sequence[tuple[str, int]] = ()
    histogram: Sequence[int] = ()
    examples: Sequence[str] = ()
    warning: str = ""
    odd: str = ""
    no_value: str = ""
    feature: bool = True

    def to_dict(self) -> dict[str, Any]:
        texts = {"examples": [storable(cut(text)) for text in self.examples]}
        levels = [[storable(level), count] for level, count in self.levels]
        lists = {"levels": levels, "histogram": [*self.histogram]}
        return asdict(self) | lists | texts | {"odd": storable(self.odd)}


@dataclass(frozen=True, kw_only=True)
class Counts:
    """One column counted: the cells that are there, how many of them read as numbers, and
    which; those beyond 1e150 are not usable. Unless it `is_counted`, `distinct` is an estimate.
    """

    name: str
    rows: int
    present: int
    distinct: int
    is_counted: bool
    numbers: int
    usable: int
    with_commas: int
    minimum: float | None
    maximum: float | None
    mean: float | None
    sd: float | None
    all_whole: bool
    not_a_number: str | None
    no_value: str | None = None
    examples: Sequence[str] = field(default_factory=tuple)

    @property
    def kind(self) -> Kind:
        """As training will read it, which leaves texts out."""
        if self.distinct <= 1:
            return "constant"
        if self.numbers >= NUMBER_SHARE * self.present:
            return "number"
        return "text" if self.distinct > MOST_LEVELS or self._has_commas else "category"

    @property
    def has_bins(self) -> bool:
        return self.kind == "number" and self.minimum != self.maximum

    @property
    def warning(self) -> str:
        if not self.present:
            return "No row has a value."
        if self.distinct == 1:
            return self._of_one_value()
        if self.kind == "number":
            return self._of_a_number()
        if self._has_commas:
            return "Numbers with commas: write a decimal point and no thousands separator."
        if self.kind == "text":
            return f"{self.distinct:,} different texts: it reads like an identifier or free text."
        return _NAMES_ROWS if self._names_the_rows else ""

    def _of_one_value(self) -> str:
        missing = self.rows - self.present
        if not missing:
            return "Every row has the same value."
        return (
            f"Every row that has a value has the same one; {missing:,} {'has' if missing == 1 else 'have'} none "
            "(a cell such as None or NA counts as no value)."
        )

    @property
    def odd(self) -> str:
        """A cell that the warning is about."""
        if self.kind == "number" and self.usable < self.present:
            return self.not_a_number or ""
        return next(iter(self.examples), "") if self.kind == "text" and self._has_commas else ""

    @property
    def _has_commas(self) -> bool:
        return self.with_commas > self.present / 2

    def _of_a_number(self) -> str:
        bad = self.present - self.usable
        if bad:
            cells = "1 cell is" if bad == 1 else f"{bad:,} cells are"
            return f"{cells} no usable number{'' if bad == 1 else 's'}: a training refuses that."
        return _NUMBERS_ROWS if self._numbers_the_rows else ""

    @property
    def feature(self) -> bool:
        """Identifiers are as good as gone with the rows that they belong to."""
        return self.kind in USABLE and not (self._numbers_the_rows or self._names_the_rows)

    @property
    def _numbers_the_rows(self) -> bool:
        if self.minimum is None or self.maximum is None or not self.all_whole:
            return False
        span = self.maximum - self.minimum + 1
        most = GAPS * self.rows if self.rows >= ROWS_WITH_GAPS else self.rows
        return self.kind == "number" and self._all_differ and span <= most

    @property
    def _names_the_rows(self) -> bool:
        return self.kind == "category" and self._all_differ

    @property
    def _all_differ(self) -> bool:
        least = self.rows if self.is_counted else NEARLY_ALL * self.rows
        return self.rows >= LEAST_ROWS and self.present == self.rows and self.distinct >= least

    def profile(
        self, *, levels: Sequence[tuple[str, int]], histogram: Sequence[int]
    ) -> ColumnProfile:
        is_number = self.kind == "number"
        most_frequent = sorted(levels, key=lambda level: (-level[1], level[0]))
        return ColumnProfile(
            name=self.name,
            kind=self.kind,
            missing=self.rows - self.present,
            distinct=self.distinct,
            minimum=self.minimum if is_number else None,
            maximum=self.maximum if is_number else None,
            mean=_finite(self.mean) if is_number else None,
            sd=_finite(self.sd) if is_number else None,
            levels=most_frequent[:LEVELS_SHOWN],
            histogram=histogram,
            examples=list(dict.fromkeys(self.examples))[:EXAMPLES],
            warning=self.warning,
            odd=cut(self.odd),
            no_value=self.no_value or "",
            feature=self.feature,
        )


def _finite(value: float | None) -> float | None:
    """JSON knows no infinity, which the square of a large number is."""
    return value if value is not None and math.isfinite(value) else None

"""From a text table to typed columns and labels; knows nothing of splits, encodings or models.

A problem in the table is one DataError that names the line and column of every bad cell (the
first 20), so that a file is mended in one go.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.alive import Alive, nothing
from mlcore.arrays import LIMIT, FloatArray, IntArray
from mlcore.errors import CellError, DataError, at_lines, did_you_mean, listed, shown
from mlcore.schema import Column, Columns, Schema
from mlcore.table import MISSING, Table, parse_number

NUMBER_SHARE = 0.9
MOST_LEVELS = 100
MOST_CLASSES = 50
_TRUE = ("1", "1.0", "true", "yes")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+(,\d+)+")


@dataclass(frozen=True, eq=False)
class Cells:
    """Typed columns with holes: ``missing`` marks, per column, the rows without a value."""

    values: Mapping[str, NDArray[Any]]
    missing: Mapping[str, NDArray[np.bool_]]
    lines: tuple[int, ...]


def feature_names(
    table: Table, *, target: str, chosen: Sequence[str] | None = None
) -> tuple[str, ...]:
    """The chosen feature columns, or all but the target, in the order of the file.

    Raises DataError for an unknown or repeated name, for the target among them and for none.
    """
    table.position(target)
    names = [name for name in table.header if name != target] if chosen is None else list(chosen)
    for name, times in Counter(names).items():
        table.position(name)
        if times > 1:
            raise DataError(f'column "{name}" is listed {times} times; list it once')
    if target in names:
        raise DataError(f'"{target}" is the target; it cannot be a feature column too')
    if not names:
        raise DataError("there is no feature column; a model needs at least one")
    return tuple(sorted(names, key=table.position))


def infer_columns(table: Table, names: Sequence[str], alive: Alive = nothing) -> tuple[Column, ...]:
    """The kind and levels of each column; fills are learnt later, from the training rows.

    A column is a number when at least 90 % of its non-missing cells read as one: the others are
    typing errors, which ``read_cells`` names. Else it is a category with its levels sorted.
    ``alive`` is called before each and may raise. Raises DataError for a column without any value
    or with more than 100 levels.
    """
    columns = []
    for name in names:
        alive()
        columns.append(_infer_column(name, table.cells(name)))
    return tuple(columns)


def _infer_column(name: str, cells: Sequence[str]) -> Column:
    present = [cell for cell in cells if cell not in MISSING]
    numbers = sum(parse_number(cell) is not None for cell in present)
    if is_number(name, n_present=len(present), n_numbers=numbers):
        return Column(name, "number")
    return category(name, Counter(present))


def is_number(name: str, *, n_present: int, n_numbers: int) -> bool:
    """Whether so many cells that read as a number make the column one; DataError without a cell."""
    if not n_present:
        raise DataError(f'column "{name}" has no value in any row; leave it out')
    return n_numbers >= NUMBER_SHARE * n_present


def category(name: str, counts: Mapping[str, int]) -> Column:
    """The column of these texts; DataError for more than 100 and for decimal commas."""
    commas = [text for text in counts if _DECIMAL_COMMA.fullmatch(text)]
    if sum(counts[text] for text in commas) > sum(counts.values()) / 2:
        raise DataError(
            f'column "{name}" holds numbers with commas, such as {next(iter(counts))}; '
            "write a decimal point and no thousands separator"
        )
    if len(counts) > MOST_LEVELS:
        raise DataError(
            f'column "{name}" has {len(counts)} different texts (at most {MOST_LEVELS}): '
            "it reads like an identifier or free text; leave it out"
        )
    return Column(name, "category", tuple(sorted(counts)))


def read_cells(columns: Sequence[Column], table: Table, alive: Alive = nothing) -> Cells:
    """Every cell of these columns as its column's kind; one DataError for all that do not fit.

    ``alive`` is called before each column and may raise.
    """
    values: dict[str, NDArray[Any]] = {}
    missing: dict[str, NDArray[np.bool_]] = {}
    errors: list[CellError] = []
    for column in columns:
        alive()
        cells = table.cells(column.name)
        read = _read_number if column.kind == "number" else _read_level(column)
        words = MISSING.difference(column.levels)  # a word that is a level means that
        parsed: list[Any] = [None if cell in words else read(cell) for cell in cells]
        for row, value in enumerate(parsed):
            if isinstance(value, CellError):
                errors.append(replace(value, row=table.lines[row], column=column.name))
        holes = np.array([value is None for value in parsed], dtype=bool)
        if not errors:
            values[column.name] = _array(column, parsed)
            missing[column.name] = holes
    if errors:
        raise at_lines(errors)
    return Cells(values, missing, table.lines)


def _array(column: Column, parsed: Sequence[Any]) -> NDArray[Any]:
    # None becomes NaN in an array of numbers.
    return np.array(parsed, dtype=np.float64 if column.kind == "number" else np.object_)


def _read_number(cell: str) -> float | CellError:
    value = parse_number(cell)
    if value is None:
        return _bad("wrong_type", "expected a number", cell)
    if abs(value) > LIMIT:
        return _bad("not_finite", "expected a finite number up to 1e150 in size", cell)
    return value


def _read_level(column: Column) -> Callable[[str], str | CellError]:
    levels = frozenset(column.levels)
    expected = f"expected one of {listed(column.levels)}"

    def read(cell: str) -> str | CellError:
        return cell if cell in levels else _bad("unknown_level", expected, cell)

    return read


def _bad(code: str, expected: str, cell: str) -> CellError:
    return CellError(code, f"{expected}, got {shown(cell)}", value=shown(cell))


def learn_fills(columns: Sequence[Column], cells: Cells, rows: IntArray) -> Schema:
    """The schema whose columns with missing cells know their fill: median or mode of ``rows``.

    Of equally frequent levels the first in alphabetical order is the mode. Raises DataError for
    a column that has no value in these rows.
    """
    return Schema(tuple(_with_fill(column, cells, rows) for column in columns))


def _with_fill(column: Column, cells: Cells, rows: IntArray) -> Column:
    missing = cells.missing[column.name]
    present = cells.values[column.name][rows][~missing[rows]]
    if len(present) == 0:
        raise DataError(f'column "{column.name}" has no value in the training rows; leave it out')
    if not missing.any():
        return column
    if column.kind == "number":
        return replace(column, fill=float(np.median(present)))
    counts = Counter(present.tolist())
    return replace(column, fill=min(counts, key=lambda level: (-counts[level], level)))


def fill(schema: Schema, cells: Cells) -> Columns:
    """Columns without holes. DataError by line where a column knows no fill."""
    values: dict[str, NDArray[Any]] = {}
    imputed: list[list[str]] = [[] for _ in cells.lines]
    errors: list[CellError] = []
    for column in schema.columns:
        holes = cells.missing[column.name]
        for row in np.flatnonzero(holes).tolist():
            imputed[row].append(column.name)
            if column.fill is None:
                message = "a value is needed here: the training rows had none missing"
                errors.append(CellError("missing_value", message, cells.lines[row], column.name))
        values[column.name] = cells.values[column.name].copy()
        values[column.name][holes] = column.fill
    if errors:
        raise at_lines(errors)
    return Columns(values, len(cells.lines), tuple(tuple(names) for names in imputed))


def infer_classes(table: Table, *, target: str, positive: str | None = None) -> tuple[str, ...]:
    """The classes of the target column: (negative, positive) for two, in alphabetical order for more.

    Positive is the one asked for; else the one called 1, true or yes; else the rarer; else the
    first in alphabetical order. DataError for fewer than 2 classes, for more than 50, and for a
    positive class that does not exist or among three or more.
    """
    counts = Counter(cell for cell in table.cells(target) if cell not in MISSING)
    return classes_of(counts, target=target, positive=positive)


def classes_of(
    counts: Mapping[str, int], *, target: str, positive: str | None = None
) -> tuple[str, ...]:
    """The same from the rows of each class."""
    classes = listed(sorted(counts), limit=10) or "none"
    if len(counts) < 2:
        only = f"it has only {classes}" if counts else "it has none"
        raise DataError(f'the target "{target}" needs at least 2 classes, {only}')
    if len(counts) > MOST_CLASSES:
        raise DataError(
            f'the target "{target}" has {len(counts)} different values (at most {MOST_CLASSES}), '
            f"such as {classes}: it reads like a quantity or an identifier, not a class"
        )
    if positive is not None and not isinstance(positive, str):
        raise DataError(f"classes are texts, as the file holds them: positive is {positive!r}")
    if positive is not None and positive not in counts:
        hint = did_you_mean(positive, counts)
        raise DataError(f'"{positive}" is no class of "{target}" ({classes}){hint}')
    if len(counts) > 2:
        if positive is not None:
            raise DataError(
                f'"{target}" has {len(counts)} classes ({classes}); none is the positive'
            )
        return tuple(sorted(counts))
    positive = positive or _default_positive(counts)
    (negative,) = set(counts) - {positive}
    return negative, positive


def _default_positive(counts: Mapping[str, int]) -> str:
    affirmative = [label for label in counts if label.casefold() in _TRUE]
    if len(affirmative) == 1:
        return affirmative[0]
    return min(counts, key=lambda label: (counts[label], label))


def read_target(table: Table, *, target: str, classes: tuple[str, ...]) -> FloatArray:
    """The number of each row's class: for two classes y is 1.0 for ``classes[1]``.

    DataError by line for a missing cell or another class.
    """
    cells = table.cells(target)
    read = _read_level(Column(target, "category", classes))
    words = MISSING.difference(classes)
    errors = []
    for line, cell in zip(table.lines, cells, strict=True):
        found = _no_label(cell) if cell in words else read(cell)
        if isinstance(found, CellError):
            errors.append(replace(found, row=line, column=target))
    if errors:
        raise at_lines(errors)
    numbers = {label: float(number) for number, label in enumerate(classes)}
    return np.array([numbers[cell] for cell in cells])


def _no_label(cell: str) -> CellError:
    why = f': "{cell}" stands for no value' if cell else ""
    other = " or call the class something else" if cell else ""
    return CellError("missing_value", f"the target is missing{why}; leave the row out{other}")

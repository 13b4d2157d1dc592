"""The sampled rows of all pieces as the table a training in memory would have prepared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endpoints.services.large.encoding import Sample, holes_in
from mlcore.errors import DataError
from mlcore.preparation import Part, Prepared
from mlcore.schema import Column, Columns, Schema
from mlcore.table import Table, sha256_of


@dataclass(frozen=True)
class Sampled:
    """Rows of both parts; ``holes`` names the columns that miss a value somewhere in the data."""

    target: str
    columns: tuple[Column, ...]
    classes: tuple[str, ...]
    holes: frozenset[str]
    train: Sample
    validation: Sample


def joined(samples: Sequence[Sample], most: int) -> Sample:
    """The rows in order; of more than ``most`` those with the smallest hashes."""
    hashes = np.concatenate([sample.hashes for sample in samples])
    chosen = np.arange(len(hashes))
    if len(hashes) > most:
        chosen = np.sort(np.argsort(hashes, kind="stable")[:most])
    return Sample(
        {
            name: np.concatenate([sample.values[name] for sample in samples])[chosen]
            for name in samples[0].values
        },
        np.concatenate([sample.y for sample in samples])[chosen],
        np.concatenate([sample.rows for sample in samples])[chosen],
        hashes[chosen],
    )


def as_prepared(sampled: Sampled, name: str) -> Prepared:
    """Learn the fills from the training rows and apply them; DataError where there are none."""
    for part, sample in (("training", sampled.train), ("validation", sampled.validation)):
        if not len(sample.y):
            raise DataError(f"there are no {part} rows: give more rows or another test_size")
    schema = Schema(tuple(_with_fill(column, sampled) for column in sampled.columns))
    return Prepared(
        target=sampled.target,
        schema=schema,
        classes=sampled.classes,
        train=_part(schema, sampled.train),
        validation=_part(schema, sampled.validation),
        holdout=_holdout(sampled, name),
    )


def fewer(prepared: Prepared, most: tuple[int, int]) -> Prepared:
    """At most so many of the training and of the validation rows, evenly spaced."""
    train, validation = (
        _thinned(part, n)
        for part, n in zip((prepared.train, prepared.validation), most, strict=True)
    )
    return replace(prepared, train=train, validation=validation)


def _thinned(part: Part, most: int) -> Part:
    n = len(part.y)
    if n <= most:
        return part
    rows = np.arange(most, dtype=np.int64) * n // most
    lines = tuple(part.lines[row] for row in rows.tolist())
    return Part(part.columns.take(rows), part.y[rows], lines)


def _with_fill(column: Column, sampled: Sampled) -> Column:
    values = sampled.train.values[column.name]
    present = values[~holes_in(values)]
    if not len(present):
        raise DataError(f'column "{column.name}" has no value in the training rows; leave it out')
    if column.name not in sampled.holes:
        return column
    if column.kind == "number":
        return replace(column, fill=float(np.median(present)))
    # Levels are sorted: of equally frequent ones the first in alphabetical order.
    return replace(column, fill=column.levels[int(np.bincount(present).argmax())])


def _part(schema: Schema, sample: Sample) -> Part:
    n = len(sample.y)
    values: dict[str, NDArray[Any]] = {}
    imputed: list[tuple[str, ...]] = [()] * n
    for column in schema.columns:
        found = sample.values[column.name]
        holes = holes_in(found)
        if column.kind == "number":
            fill = np.nan if column.fill is None else float(column.fill)
            values[column.name] = np.where(holes, fill, found)
        else:
            levels = np.array([*column.levels, column.fill], dtype=np.object_)
            values[column.name] = levels[found]
        for row in np.flatnonzero(holes).tolist():
            imputed[row] = (*imputed[row], column.name)
    return Part(Columns(values, n, tuple(imputed)), sample.y, _lines(sample))


def _lines(sample: Sample) -> tuple[int, ...]:
    """Line numbers as in one file with a header and without line breaks in cells."""
    return tuple((sample.rows + 2).tolist())


def _holdout(sampled: Sampled, name: str) -> Table:
    """The validation rows as text, numbers in their shortest form."""
    sample = sampled.validation
    header = (*(column.name for column in sampled.columns), sampled.target)
    cells = [_texts(column, sample.values) for column in sampled.columns]
    labels = [sampled.classes[number] for number in sample.y.astype(np.int64).tolist()]
    rows = tuple(zip(*cells, labels, strict=True))
    return Table(
        header=header,
        rows=rows,
        lines=_lines(sample),
        sha256=sha256_of(header, rows),
        name=f"{name} (validation rows)",
    )


def _texts(column: Column, values: Mapping[str, NDArray[Any]]) -> list[str]:
    found = values[column.name]
    if column.kind == "number":
        return ["" if value != value else repr(value) for value in found.tolist()]  # noqa: PLR0124
    levels = [*column.levels, ""]
    return [levels[number] for number in found.tolist()]

"""From a table to the rows a model learns from and is judged on; knows no models.

What is learnt here (levels, fills) is learnt from the training rows alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlcore.alive import Alive, nothing
from mlcore.arrays import FloatArray
from mlcore.errors import DataError
from mlcore.features import (
    feature_names,
    fill,
    infer_classes,
    infer_columns,
    learn_fills,
    read_cells,
    read_target,
)
from mlcore.schema import Columns, Schema
from mlcore.split import stratified_split
from mlcore.table import Table


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows of a table: their columns, and the number of each row's class."""

    columns: Columns
    y: FloatArray
    lines: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a model shall answer: a target, its positive class, and from which columns.

    ``columns`` None means all but the target.
    """

    target: str
    positive: str | None = None
    columns: Sequence[str] | None = None


@dataclass(frozen=True, eq=False)
class Prepared:
    """Training and validation rows with their schema and classes; ``holdout`` is the latter as a table."""

    target: str
    schema: Schema
    classes: tuple[str, ...]
    train: Part
    validation: Part
    holdout: Table


def prepare(
    question: Question, table: Table, *, test_size: float, seed: int, alive: Alive = nothing
) -> Prepared:
    """Read, split by class and fill. Raises DataError naming line and column of what does not fit.

    ``alive`` is called between the steps and may raise.
    """
    if not isinstance(table, Table):
        raise DataError(f"a {type(table).__name__} is no Table; read a file with read_csv")
    names = feature_names(table, target=question.target, chosen=question.columns)
    classes = infer_classes(table, target=question.target, positive=question.positive)
    y = read_target(table, target=question.target, classes=classes)
    for number, label in enumerate(classes):
        if (y == number).sum() < 2:
            raise DataError(
                f'class "{label}" of "{question.target}" has a single row; a split needs 2'
            )
    kinds = infer_columns(table, names, alive)
    cells = read_cells(kinds, table, alive)
    alive()
    train_rows, validation_rows = stratified_split(y, test_size=test_size, seed=seed)
    schema = learn_fills(kinds, cells, train_rows)
    columns = fill(schema, cells)
    train, validation = (
        Part(columns.take(rows), y[rows], tuple([table.lines[row] for row in rows.tolist()]))
        for rows in (train_rows, validation_rows)
    )
    return Prepared(
        target=question.target,
        schema=schema,
        classes=classes,
        train=train,
        validation=validation,
        holdout=table.select(validation_rows.tolist(), name=f"{table.name} (validation rows)"),
    )

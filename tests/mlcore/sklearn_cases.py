"""Tables and frames for the conversions from scikit-learn: numbers, categories, missing cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlcore import Schema, Table
from mlcore.table import sha256_of

LABELS = {2: ("no", "yes"), 3: ("low", "mid", "top"), 4: ("a", "b", "c", "d")}


def frame(*, n: int = 120, n_classes: int = 2, seed: int = 0, holes: bool = False) -> pd.DataFrame:
    """Three numbers on very different scales, a colour, a whole-number grade, and the class."""
    rng = np.random.default_rng(seed)
    found = pd.DataFrame(
        {
            "Area": rng.normal(50_000, 9_000, n).round(1),
            "Extent": rng.uniform(0, 1, n),
            "Colour": rng.choice(["dark", "golden", "red"], n).astype(object),
            "Grade": rng.choice([1, 2, 10], n),
            "Offset": rng.normal(300, 2, n).round(3),
        }
    )
    signal = (found["Area"] - 50_000) / 9_000 + 2 * found["Extent"] + rng.normal(size=n)
    signal += 2 * (found["Colour"] == "red") + 2 * (found["Grade"] == 1)
    place = np.digitize(signal, np.quantile(signal, np.linspace(0, 1, n_classes + 1)[1:-1]))
    found["Class"] = np.array(LABELS[n_classes], dtype=object)[place]
    if holes:
        for name in ("Extent", "Colour"):
            found.loc[rng.random(n) < 0.2, name] = np.nan
    return found


def table_of(data: pd.DataFrame) -> Table:
    """The frame as a CSV file would hold it."""
    header = tuple(data.columns)
    rows = tuple(
        tuple("" if pd.isna(value) else str(value) for value in row)
        for row in data.astype(object).itertuples(index=False)
    )
    lines = tuple(range(2, len(rows) + 2))
    return Table(header, rows, lines, sha256_of(header, rows), "grains")


def inputs(data: pd.DataFrame) -> pd.DataFrame:
    return data.drop(columns="Class")


def rows_of(data: pd.DataFrame, schema: Schema) -> list[list[Any]]:
    """The rows as prediction requests hold them: every category is a text."""
    columns = [
        [_cell(value, column.kind) for value in data[column.name].astype(object)]
        for column in schema.columns
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def _cell(value: Any, kind: str) -> float | str | None:
    if pd.isna(value):
        return None
    return str(value) if kind == "category" else value

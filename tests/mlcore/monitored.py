"""Profiles and windows made of arrays, and the samples that published reference numbers are for."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from mlcore import Column, Profile, Schema, Window, build_profile
from mlcore.arrays import FloatArray


def samples() -> tuple[FloatArray, FloatArray]:
    """1000 standard normal rows, then 800 that are shifted by 0.3 and wider by a fifth."""
    rng = np.random.default_rng(42)
    return rng.normal(0.0, 1.0, 1000), rng.normal(0.3, 1.2, 800)


LEVELS = [502, 301, 197, 0]
LEVELS_NOW = [370, 236, 154, 40]
LEVELS_THEN = [502, 301, 197]
LEVELS_MOVED = [359, 263, 178]


def profile_of(*columns: FloatArray, threshold: float = 0.5) -> Profile:
    """The profile of columns of numbers named x0, x1, ..; every second row is of the second class."""
    n = len(columns[0])
    schema = Schema(tuple(Column(f"x{k}", "number", fill=0.0) for k in range(len(columns))))
    return build_profile(
        schema,
        schema.read_matrix(np.column_stack(columns)),
        probabilities=(np.arange(n) + 0.5) / n,
        threshold=threshold,
        labels=np.arange(n) % 2,
    )


def window_of(profile: Profile, *columns: FloatArray) -> Window:
    window = Window.empty(profile)
    window.add(np.column_stack(columns))
    return window


def levels_profile(missing: int = 0, **counts: int) -> Profile:
    """The profile of one category called colour."""
    column = Column("colour", "category", tuple(counts), fill=next(iter(counts)))
    cells: list[Any] = [[level] for level, count in counts.items() for _ in range(count)]
    schema = Schema((column,))
    rows = schema.read([*cells, *[[None]] * missing])
    return build_profile(schema, rows, probabilities=np.full(rows.n_rows, 0.5), threshold=0.5)


def levels_window(profile: Profile, missing: int = 0, **counts: int) -> Window:
    cells = [level for level, count in counts.items() for _ in range(count)]
    window = Window.empty(profile)
    window.add({"colour": np.array([*cells, *[None] * missing], object)})
    return window


def older(profile: Profile, *columns: FloatArray) -> Profile:
    """The same as bundles had it before there were order statistics: 101 interpolated quantiles."""
    data = asdict(profile)
    grids = [np.quantile(values, np.arange(101) / 100).tolist() for values in columns]
    for part, grid in zip(
        [*data["columns"], data["scores"]], [*grids, np.linspace(0, 1, 101)], strict=True
    ):
        part.pop("deciles"), part.pop("tails")
        part["quantiles"] = list(grid)
    data["scores"].pop("mean"), data["scores"].pop("sd"), data.pop("class_counts")
    return Profile.from_dict(data)

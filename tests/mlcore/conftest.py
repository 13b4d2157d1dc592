"""What the mlcore tests share: the real Raisin table, and a small trained classifier."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlcore import Table, TrainingResult, TrainingSpec, read_csv, synthetic_raisin, train


@pytest.fixture(scope="session")
def raisin_table() -> Table:
    home = Path(os.environ.get("RAISIN_HOME", "var"))
    path = Path(os.environ.get("RAISIN_CSV", home / "datasets" / "raisin.csv"))
    if not path.is_file():
        pytest.skip("needs the real Raisin data: set RAISIN_CSV to its file")
    return read_csv(path, name="raisin")


@pytest.fixture(scope="session")
def trained() -> TrainingResult:
    """The default training on the synthetic grains."""
    return train(TrainingSpec(target="Class"), synthetic_raisin())


@pytest.fixture(scope="session")
def trained_mixed() -> TrainingResult:
    """Numbers, a category and missing cells in one table."""
    return train(TrainingSpec(target="Class", lambda_=0.1), mixed_table())


def mixed_table() -> Table:
    """The synthetic grains with a colour, and every tenth extent and colour missing."""
    grains = synthetic_raisin()
    colours = ("dark", "red", "gold")
    rows = []
    for number, row in enumerate(grains.rows):
        colour = "" if number % 10 == 3 else colours[(number * 7 + len(row[-1])) % 3]
        extent = "?" if number % 10 == 5 else row[5]
        rows.append((row[0], extent, colour, row[-1]))
    return Table(
        header=("Area", "Extent", "Colour", "Class"),
        rows=tuple(rows),
        lines=grains.lines,
        sha256="0" * 64,
        name="mixed",
    )

"""Data sets of a known law as files in parts, and how the tests train and score them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from endpoints.services.large.engines import EngineSpec
from endpoints.services.large.training import DataSource, train
from mlcore.training import TrainingResult, TrainingSpec

SPEC = TrainingSpec(target="kind", positive="fir", lambda_=0.01)


def forest(n: int = 3000, *, seed: int = 1) -> pl.DataFrame:
    """Trees with two numbers, one of them with holes, and a category that all tell the kind."""
    rng = np.random.default_rng(seed)
    height, girth = rng.normal(20, 4, size=n), rng.normal(100, 30, size=n)
    leaf = rng.choice(["broad", "needle", "scale"], size=n)
    z = (height - 20) / 4 + (girth - 100) / 60 + 1.5 * (leaf == "needle") - 0.5
    kind = np.where(z + rng.logistic(size=n) > 0, "fir", "oak")
    holes = rng.random(n) < 0.02
    return pl.DataFrame(
        {
            "height": height.round(3),
            "girth": pl.Series(girth.round(2)).set(pl.Series(holes), None),
            "leaf": leaf,
            "kind": kind,
        }
    )


def write_parts(folder: Path, frame: pl.DataFrame, cuts: Sequence[int]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    edges = [0, *cuts, len(frame)]
    paths = []
    for number, (start, stop) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        paths.append(folder / f"part-{number}.csv")
        frame[start:stop].write_csv(paths[-1])
    return paths


def here(folder: Path) -> EngineSpec:
    return EngineSpec("blocks", folder / "scratch")


def trained(
    files: Sequence[Path | str],
    folder: Path,
    *,
    spec: TrainingSpec = SPEC,
    piece_bytes: int = 20_000,
    **facts: Any,
) -> TrainingResult:
    data = DataSource(files=files, piece_bytes=piece_bytes, **facts)
    return train(spec, data, engine=here(folder))


def theta_of(result: TrainingResult) -> bytes:
    return np.append(result.report.weights, result.report.intercept).tobytes()

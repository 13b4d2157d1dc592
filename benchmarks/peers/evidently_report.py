"""`python -m benchmarks.peers.evidently_report FOLDER`: Evidently's preset for drift, measured.

FOLDER has the rows of the training as reference.npy and the live ones as current.npy. Prints one
JSON object.
"""

# What it imports lives in an environment of its own.
# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["DO_NOT_TRACK"] = "1"  # read when it is imported

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

from benchmarks.in_process import peak_mib, resident_mib, timed

PACKAGES = ("evidently", "pandas", "numpy", "scipy")


def report(reference: pd.DataFrame, current: pd.DataFrame) -> dict[str, Any]:
    """Its default measure of each column, as its JSON says it."""
    definition = DataDefinition(numerical_columns=list(current.columns))
    now = Dataset.from_pandas(current, definition)
    before = Dataset.from_pandas(reference, definition)
    found: dict[str, Any] = json.loads(Report([DataDriftPreset()]).run(now, before).json())
    return found


def distances(found: dict[str, Any]) -> dict[str, float]:
    return {
        metric["config"]["column"]: metric["value"]
        for metric in found["metrics"]
        if "column" in metric["config"]
    }


def main(place: str) -> None:
    at_start = resident_mib()
    reference, current = (_frame(Path(place) / f"{name}.npy") for name in ("reference", "current"))
    first = timed(lambda: report(reference, current))
    peak = peak_mib()
    warm = timed(lambda: report(reference, current))
    print(
        json.dumps(
            {
                "first": first,
                "warm": warm,
                "at_start_mib": at_start,
                "peak_mib": peak,
                "distances": distances(report(reference, current)),
                "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
            }
        )
    )


def _frame(path: Path) -> pd.DataFrame:
    rows = np.load(path)
    return pd.DataFrame(rows, columns=[f"f{k}" for k in range(rows.shape[1])])


if __name__ == "__main__":
    main(*sys.argv[1:])

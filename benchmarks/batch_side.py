"""`python -m benchmarks.batch_side SIDE FOLDER FILE`: one way to score a CSV file, in a process of its own.

FOLDER has the model as model/ (ours) and model.pickle (scikit-learn's, the same function) and the file; the
results are left in FOLDER. Prints one JSON object: CPU seconds from the first byte of the file to the last
of the results, after the imports and the model; of those too; and the peak memory of the process.
"""

from __future__ import annotations

import json
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.in_process import peak_mib, timed

LABELS = ("Besni", "Kecimen")
VERSION = 3
WRITTEN = ("source.csv", "results.csv", "errors.csv")

Job = Callable[[], object]


def ours(folder: Path, file: Path) -> Job:
    """Look at the file, write its plain form, score it piece by piece: what the worker does to a batch."""
    import numpy.ma  # noqa: F401  Polars imports it later, scikit-learn has

    from endpoints.services import processors

    processors.leave_room()

    from endpoints.services.tables import mapping, reading, scoring
    from mlcore.artifact import load

    classifier = load(folder / "model")

    def job() -> None:
        source = folder / "source.csv"
        read = reading.prepare(file, source, name=file.name, most_bytes=1 << 40, alive=lambda: None)
        columns = mapping.match(classifier.schema, read.columns).matched
        plan = scoring.ScoringPlan(source, read, classifier, columns, version=VERSION)
        tally = scoring.Tally()
        with (
            (folder / "results.csv").open("wb") as results,
            (folder / "errors.csv").open("wb") as errors,
        ):
            results.write(scoring.header(plan))
            errors.write(scoring.ERRORS_HEADER)
            for chunk in scoring.chunks(plan):
                results.write(chunk.results)
                errors.write(chunk.errors)
                tally = tally.plus(chunk.tally)

    return job


def pandas(folder: Path, file: Path) -> Job:
    import numpy as np
    import pandas as pd

    pipeline = pickle.loads((folder / "model.pickle").read_bytes())

    def job() -> None:
        table = pd.read_csv(file)
        positive = pipeline.predict_proba(table.to_numpy())[:, 1]
        table["probability"] = positive
        table["label"] = np.where(positive >= 0.5, LABELS[1], LABELS[0])
        table["version"] = VERSION
        table["error"] = ""
        table.to_csv(folder / "results.csv", index=False)

    return job


def polars(folder: Path, file: Path) -> Job:
    import polars as pl

    pipeline = pickle.loads((folder / "model.pickle").read_bytes())

    def job() -> None:
        table = pl.read_csv(file)
        positive = pl.Series("probability", pipeline.predict_proba(table.to_numpy())[:, 1])
        label = pl.when(positive >= 0.5).then(pl.lit(LABELS[1])).otherwise(pl.lit(LABELS[0]))
        added = (positive, label.alias("label"), pl.lit(VERSION).alias("version"))
        table.with_columns(*added, pl.lit("").alias("error")).write_csv(folder / "results.csv")

    return job


def copy(folder: Path, file: Path) -> Job:
    """Polars reads and writes the file and does nothing between: no reader of cells can do less."""
    import polars as pl

    return lambda: pl.scan_csv(file).sink_csv(folder / "results.csv")


SIDES: dict[str, Callable[[Path, Path], Job]] = {
    "ours": ours,
    "pandas": pandas,
    "polars": polars,
    "copy": copy,
}


def main() -> None:
    side, folder, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    job = SIDES[side](folder, folder / name)
    for left_before in (folder / file for file in WRITTEN):
        left_before.unlink(missing_ok=True)
    before: dict[str, Any] = {"imports_cpu_s": time.process_time(), "at_start_mib": peak_mib()}
    done = timed(job)
    print(json.dumps({**before, **done, "peak_mib": peak_mib()}))


if __name__ == "__main__":
    main()

"""CPU time and memory of scoring a CSV file of 1,000,000 rows x 7 features, beside pandas and Polars.

Each side reads the file, computes the probabilities of the same function, and writes the file with
four columns more; ours keeps every row's bytes, flags bad rows and looks at the file's encoding first.
Each runs in a process of its own, in turn. Times are CPU seconds without the imports, which
a worker pays once and which would flatter ours: scikit-learn's take longer.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.batch_side import VERSION
from benchmarks.common import Bar, at_most, report, summary
from benchmarks.scoring import many_rows, peer_of
from benchmarks.serving_servers import ROOT
from mlcore import TrainingSpec, artifact, synthetic_raisin, table_rows, train
from mlcore.classifier import Classifier

ROWS, MORE_ROWS = 1_000_000, 10_000_000
BAD_EVERY = 100
_PIECE = 100_000  # rows that are made at a time

Sample = dict[str, Any]


def make_model(folder: Path) -> Classifier:
    """The same function for all: scikit-learn's pipeline gets our means, scales and weights."""
    table = synthetic_raisin()
    trained = train(TrainingSpec(target="Class"), table)
    classifier = trained.classifier
    artifact.save(trained, folder / "model")
    X = np.array([list(row.values()) for row in table_rows(classifier, table)])
    (folder / "model.pickle").write_bytes(pickle.dumps(peer_of(classifier, X)))
    return classifier


def write_rows(file: Path, classifier: Classifier, rows: int, *, bad: Sequence[str] = ()) -> None:
    """Rows with four decimals; with `bad`, every hundredth is one of these faults in turn."""
    training = table_rows(classifier, synthetic_raisin())
    with file.open("wb") as out:
        out.write(",".join(classifier.schema.names).encode() + b"\n")
        lines = [",".join(f"{cell:.4f}" for cell in row) for row in many_rows(training, _PIECE)]
        for start in range(0, rows, _PIECE):
            piece = lines[: rows - start]
            out.writelines(f"{line}\n".encode() for line in (spoilt(piece, bad) if bad else piece))


FAULTS = ("text", "empty", "short", "long", "decimal comma")


def spoilt(lines: Iterable[str], faults: Sequence[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        fault = faults[number // BAD_EVERY % len(faults)] if number % BAD_EVERY == 0 else ""
        first, _, rest = line.partition(",")
        yield {
            "": line,
            "text": f"abc,{rest}",
            "empty": f",{rest}",
            "short": rest,
            "long": f"{line},{first}",
            "decimal comma": f'"{first.replace(".", ",")}",{rest}',
        }[fault]


def run(side: str, folder: Path, file: str) -> Sample:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.batch_side", side, str(folder), file],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: Sample = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(folder: Path, rounds: int) -> dict[str, list[Sample]]:
    """Samples by side; pandas has none where it is not installed."""
    cases = {"ours": "rows.csv", "bad rows": "bad.csv", "polars": "rows.csv", "copy": "rows.csv"}
    if find_spec("pandas"):
        cases["pandas"] = "rows.csv"
    samples: dict[str, list[Sample]] = {name: [] for name in cases}
    for number in range(rounds):
        for name, file in cases.items():
            samples[name].append(run("ours" if name == "bad rows" else name, folder, file))
        print(f"Round {number + 1} of {rounds} is done", file=sys.stderr)
    return samples


def ratio(samples: Mapping[str, Sequence[Sample]], of: str, to: str) -> float | None:
    """Of the medians of CPU time; None where a side is not there."""
    if not samples.get(to):
        return None
    ours, theirs = (statistics.median(s["cpu_s"] for s in samples[side]) for side in (of, to))
    return float(ours / theirs)


def largest_difference(folder: Path, classifier: Classifier) -> float:
    """Of a probability that was written last, from the library's own, over the first 10,000 rows."""
    with (folder / "results.csv").open() as file:
        next(file)
        rows = [next(file).split(",") for _ in range(10_000)]
    X = np.array([row[:7] for row in rows], dtype=np.float64)
    assert {row[9] for row in rows} == {str(VERSION)}
    written = np.array([row[7] for row in rows], dtype=np.float64)
    return float(np.abs(written - classifier.probabilities(X)[:, 1]).max())


def bars(samples: Mapping[str, Sequence[Sample]], peak: float) -> list[Bar]:
    return [
        at_most("pandas cpu ratio", ratio(samples, "ours", "pandas"), 0.20),
        at_most("polars sklearn cpu ratio", ratio(samples, "ours", "polars"), 1.1),
        at_most("copy cpu ratio", ratio(samples, "ours", "copy"), 1.7),
        at_most("peak memory MiB", peak, 300),
        at_most("bad rows ratio", ratio(samples, "bad rows", "ours"), 1.5),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always done)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and rows")
    is_quick = parser.parse_args().quick
    rows, more, rounds = (200_000, 1_000_000, 3) if is_quick else (ROWS, MORE_ROWS, 15)
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as place:
        folder = Path(place)
        classifier = make_model(folder)
        write_rows(folder / "rows.csv", classifier, rows)
        write_rows(folder / "bad.csv", classifier, rows, bad=FAULTS)
        samples = measure(folder, rounds)
        write_rows(folder / "more.csv", classifier, more)
        many = run("ours", folder, "more.csv")
        difference = largest_difference(folder, classifier)
    load.append(os.getloadavg()[0])
    peak = max(sample["peak_mib"] for sample in [*samples["ours"], *samples["bad rows"], many])
    report(
        {
            "rows": rows,
            "sides": {
                name: {key: summary([sample[key] for sample in found]) for key in found[0]}
                for name, found in samples.items()
            },
            "more_rows": more,
            "more": many,
            "largest_difference": difference,
            "load_before_and_after": load,
        },
        bars=bars(samples, peak),
    )


if __name__ == "__main__":
    main()

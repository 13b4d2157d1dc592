"""What every benchmark prints around its numbers: bars, versions, the machine and medians.

A benchmark that ran exits with 0; whoever reads the bars decides what a failed one means.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PACKAGES = ("numpy", "scikit-learn", "glum", "Django", "granian")


@dataclass(frozen=True)
class Bar:
    """One sentence with a number in it, and whether it holds; without a value it does not."""

    name: str
    value: float | None
    limit: float
    holds: bool


def at_most(name: str, value: float | None, limit: float) -> Bar:
    return Bar(name, value, limit, value is not None and value <= limit)


def at_least(name: str, value: float | None, limit: float) -> Bar:
    return Bar(name, value, limit, value is not None and value >= limit)


def report(measured: Mapping[str, Any], *, bars: Sequence[Bar]) -> None:
    """Print the one JSON object of a benchmark."""
    document = {
        **measured,
        "versions": versions(),
        "machine": machine(),
        "bars": [asdict(bar) for bar in bars],
    }
    print(json.dumps(document, allow_nan=False))


def versions() -> dict[str, str]:
    found = {package: importlib.metadata.version(package) for package in PACKAGES}
    return {"python": platform.python_version(), **found}


def machine() -> dict[str, Any]:
    return {"system": platform.platform(), "processor": _processor(), "cpus": os.cpu_count()}


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def interleaved_cpu_seconds(
    jobs: Mapping[str, Callable[[], object]], *, repeats: int
) -> dict[str, list[float]]:
    """CPU seconds of each job, run in turn so that a change of the machine hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            start = time.process_time()
            job()
            seconds[name].append(time.process_time() - start)
    return seconds


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median and the quartiles around it."""
    low, middle, high = statistics.quantiles(values, n=4)
    return {"median": middle, "lower_quartile": low, "upper_quartile": high}

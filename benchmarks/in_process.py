"""What a process measures of itself: the time of a job, and its memory; Linux, standard library only.

So a peer's environment can import it as well as ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def timed(job: Callable[[], object]) -> dict[str, float]:
    """CPU and wall seconds of a job."""
    cpu, wall = time.process_time(), time.perf_counter()
    job()
    return {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}


def resident_mib() -> float:
    return _mib("VmRSS")


def peak_mib() -> float:
    """The largest resident set since the program began; unlike ru_maxrss not that of its parent."""
    return _mib("VmHWM")


def _mib(field: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    lines = dict(line.split(":", 1) for line in status)
    return int(lines[field].split()[0]) / 1024

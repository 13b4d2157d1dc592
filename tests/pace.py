"""Bounds in CPU seconds that hold on any machine: as much longer as it takes for a fixed piece of work.

They say that something is cheap, not that a machine is quick.
"""

from __future__ import annotations

from time import process_time

import numpy as np

USUAL = 0.010
"""CPU seconds of the work on the machine that the bounds were written on, at rest."""


def seconds(usual: float) -> float:
    """Return a bound for this machine, now; it never falls below the one given."""
    return usual * max(1.0, min(_work() for _ in range(3)) / USUAL)


def _work() -> float:
    """Plain Python and NumPy, about half of the time each."""
    began = process_time()
    sum(len(str(number)) for number in range(60_000))
    np.sort(np.random.default_rng(1).random(130_000))
    return process_time() - began

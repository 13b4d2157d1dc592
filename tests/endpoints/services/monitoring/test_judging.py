"""Verdicts of windows that are looked at again and again while they grow."""

from __future__ import annotations

import numpy as np

from endpoints.models import Monitor
from endpoints.services.monitoring import judging
from mlcore.drift import DriftRule, measure
from mlcore.profile import build_profile
from mlcore.schema import Column, Schema
from mlcore.window import Window

WINDOWS, TRAINING = 300, 5000
LOOKS_AT = [round(50 * 1.25**look) for look in range(20)]
"""From 50 rows to 3,470: each look a quarter more than the last."""


def test_the_rule_of_a_closed_window_is_the_default_one() -> None:
    """benchmarks/drift_power.py judges by that, so its figures are those of the product."""
    assert judging.rule_of(Monitor()) == DriftRule()


def test_many_looks_at_unchanged_rows_find_drift_hardly_more_often_than_one() -> None:
    """Of 3,000 windows 23 % are in drift at some look at the full alpha, 3.3 % at a tenth of it.

    With the ends of their intervals of 99.9 %, 4.5 % and 20 %, more than 30 of 300 windows are so at the
    tenth with a chance of 2e-5, and 30 or fewer at the full alpha with 2e-6: hardly any seed fails.
    """
    monitor = Monitor(alpha=0.05, effect=0.001)
    closed, growing = (judging.rule_of(monitor, is_open=is_open) for is_open in (False, True))
    schema = Schema((Column("a", "number"),))
    rng = np.random.default_rng(1)
    by_closed, by_growing = set[int](), set[int]()
    evens = np.full(TRAINING, 0.5)
    for number in range(WINDOWS):
        reference = schema.read_matrix(rng.normal(size=(TRAINING, 1)))
        profile = build_profile(schema, reference, probabilities=evens, threshold=0.5)
        window = Window.empty(profile)
        for rows in LOOKS_AT:
            window.add(rng.normal(size=(rows - window.n_rows, 1)))
            if measure(profile, window, closed).drifted:
                by_closed.add(number)
                if measure(profile, window, growing).drifted:
                    by_growing.add(number)
    assert len(by_closed) > 2 * monitor.alpha * WINDOWS >= len(by_growing)

"""Verdicts of windows that are looked at again and again while they grow."""

from __future__ import annotations

import numpy as np

from endpoints.models import Monitor
from endpoints.services.monitoring import judging
from mlcore.drift import measure
from mlcore.profile import build_profile
from mlcore.schema import Column, Schema
from mlcore.window import Window

WINDOWS, LOOKS, ROWS_A_LOOK, TRAINING = 80, 25, 20, 400


def test_many_looks_at_unchanged_rows_find_drift_no_more_often_than_one() -> None:
    """At the full alpha more than twice as many windows as it allows are in drift at some look."""
    monitor = Monitor(alpha=0.05, effect=0.05)
    closed, growing = (judging.rule_of(monitor, is_open=is_open) for is_open in (False, True))
    schema = Schema((Column("a", "number"),))
    rng = np.random.default_rng(1)
    by_closed, by_growing = set[int](), set[int]()
    for number in range(WINDOWS):
        reference = schema.read(rng.normal(size=(TRAINING, 1)).tolist())
        evens = np.full(TRAINING, 0.5)
        profile = build_profile(schema, reference, probabilities=evens, threshold=0.5)
        window = Window.empty(profile)
        for _ in range(LOOKS):
            window.add(rng.normal(size=(ROWS_A_LOOK, 1)))
            if measure(profile, window, closed).drifted:
                by_closed.add(number)
                if measure(profile, window, growing).drifted:
                    by_growing.add(number)
    assert len(by_closed) > 2 * monitor.alpha * WINDOWS
    assert len(by_growing) <= monitor.alpha * WINDOWS

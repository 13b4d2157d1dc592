"""The place of a change in Adwin's window, against a search over all of the values."""

from __future__ import annotations

import numpy as np
import pytest

from mlcore.change_point import means_around_change
from mlcore.streams import Adwin


def fed(values: np.ndarray | list[float]) -> Adwin:
    detector = Adwin()
    detector.update_many(values)
    return detector


@pytest.mark.parametrize("seed", range(8))
def test_it_finds_the_means_on_both_sides(seed: int) -> None:
    """An alarm would let go of the values before, so the change is one that is not yet plain."""
    rng = np.random.default_rng(seed)
    values = np.r_[rng.binomial(1, 0.1, 400), rng.binomial(1, 0.45, 40)].astype(float)
    detector = fed(values)
    assert detector.width == len(values)
    found = means_around_change(detector)
    assert found is not None
    n, cuts = len(values), np.arange(1, len(values))
    sums = np.cumsum(values)[:-1]
    apart = sums / cuts - (values.sum() - sums) / (n - cuts)
    explained = cuts * (n - cuts) * apart**2
    cut = n - found.width
    assert explained[cut - 1] > 0.75 * explained.max()
    assert found.before == pytest.approx(values[:cut].mean())
    assert found.after == pytest.approx(values[cut:].mean())


@pytest.mark.parametrize("values", [[], [1.0]])
def test_less_than_two_values_have_no_change(values: list[float]) -> None:
    assert means_around_change(fed(values)) is None


def test_two_values_have_one_cut() -> None:
    assert means_around_change(fed([0.0, 1.0])) == (0.0, 1.0, 1)


def test_a_steady_stream_has_two_means_that_are_the_same() -> None:
    found = means_around_change(fed([0.25] * 100))
    assert found is not None
    assert (found.before, found.after) == (0.25, 0.25)

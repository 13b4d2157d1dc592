from __future__ import annotations

import math

from mlcore import TrainingResult, synthetic_raisin
from mlcore.synthetic import HEADER

EXPECTED_SHA256 = "1762869ccae27f85186a1fe575ab2a8023f0be6c3bfcb6446d46fa5eb8d79c69"


def test_it_works() -> None:
    table = synthetic_raisin()
    assert table.header == HEADER
    assert [row[-1] for row in table.rows] == ["Kecimen"] * 450 + ["Besni"] * 450
    assert table.synthetic
    assert table.name == "raisin-synthetic"


def test_it_is_the_same_table_everywhere() -> None:
    assert synthetic_raisin().sha256 == EXPECTED_SHA256


def test_every_grain_is_possible() -> None:
    for row in synthetic_raisin().rows:
        area, major, minor, eccentricity, convex, extent, perimeter = map(float, row[:-1])
        assert 0 < minor < major
        assert math.isclose(eccentricity, math.sqrt(1 - (minor / major) ** 2), abs_tol=1e-5)
        assert 0.97 < area / (math.pi / 4 * major * minor) < 1
        assert area < convex
        assert 0.5 <= extent <= 0.85
        assert 2 * major < perimeter < 4.3 * major


def test_besni_grains_are_larger() -> None:
    areas = [float(row[0]) for row in synthetic_raisin().rows]
    assert sum(areas[450:]) > 1.5 * sum(areas[:450])


def test_it_is_about_as_hard_as_the_real_data(trained: TrainingResult) -> None:
    assert 0.82 < trained.train.accuracy < 0.88

"""A stand-in for the Raisin data when nobody can reach it; drawn, never measured."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from mlcore.split import splitmix64
from mlcore.table import Table, sha256_of

HEADER = (
    "Area",
    "MajorAxisLength",
    "MinorAxisLength",
    "Eccentricity",
    "ConvexArea",
    "Extent",
    "Perimeter",
    "Class",
)
_PER_CLASS = 450
_DRAWS = 8
_SEED = 850
# Class: mean and spread of log(major axis in pixels), then the same of log(minor / major).
_GRAINS = {"Kecimen": (5.86, 0.16, -0.43, 0.13), "Besni": (6.20, 0.20, -0.58, 0.14)}


def synthetic_raisin() -> Table:
    """900 grains shaped like the two raisin varieties: 450 Kecimen, then 450 Besni.

    Each grain is an ellipse with axes a > b drawn log-normally, Besni larger and longer:
    eccentricity sqrt(1 - (b/a)^2), area pi a b / 4 less a little for dents, convex area a few
    percent more, perimeter by Ramanujan's formula plus wrinkles. The draws come from SplitMix64
    and Box-Muller and are rounded, so that every platform sees the same table.

    >>> table = synthetic_raisin()
    >>> len(table.rows), table.synthetic, table.rows[0][-1]
    (900, True, 'Kecimen')
    """
    rows = tuple(tuple(row) for row in _rows())
    return Table(
        header=HEADER,
        rows=rows,
        lines=tuple(range(2, len(rows) + 2)),
        sha256=sha256_of(HEADER, rows),
        name="raisin-synthetic",
        synthetic=True,
    )


def _rows() -> Iterator[list[str]]:
    bits = splitmix64(np.arange(2 * _PER_CLASS * _DRAWS), seed=_SEED)
    # The upper 53 bits as a number strictly between 0 and 1.
    uniforms = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    draws = iter(uniforms.reshape(-1, _DRAWS).tolist())
    for name, shape in _GRAINS.items():
        for _ in range(_PER_CLASS):
            yield [*_grain(shape, next(draws)), name]


def _grain(shape: tuple[float, float, float, float], u: list[float]) -> list[str]:
    size, size_spread, ratio, ratio_spread = shape
    g1, g2 = _box_muller(u[0], u[1])
    g3, _ = _box_muller(u[2], u[3])
    major = math.exp(size + size_spread * g1)
    minor = major * min(math.exp(ratio + ratio_spread * g2), 0.98)
    area = math.pi / 4 * major * minor * (0.985 + 0.01 * u[4])
    convex = area * (1.015 + 0.04 * u[5])
    perimeter = _ramanujan(major / 2, minor / 2) * (1.02 + 0.05 * u[6])
    extent = min(max(0.70 + 0.05 * g3, 0.5), 0.85)
    return [
        f"{area:.0f}",
        f"{major:.4f}",
        f"{minor:.4f}",
        f"{math.sqrt(1 - (minor / major) ** 2):.6f}",
        f"{convex:.0f}",
        f"{extent:.6f}",
        f"{perimeter:.3f}",
    ]


def _box_muller(u: float, v: float) -> tuple[float, float]:
    """Two independent standard normal draws from two uniform ones."""
    radius = math.sqrt(-2.0 * math.log(u))
    return radius * math.cos(2 * math.pi * v), radius * math.sin(2 * math.pi * v)


def _ramanujan(a: float, b: float) -> float:
    """The perimeter of an ellipse with half axes a and b, to a few parts in 10^5."""
    return math.pi * (3 * (a + b) - math.sqrt((3 * a + b) * (a + 3 * b)))

"""The inverse of a Hessian, exact or approximate, and what it says of the columns.

It knows matrices only: no rows and no loss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mlcore.arrays import EPS, FloatArray, IntArray

FAR = 1e9
"""The largest distance that is reported: beyond it the quadratic model says nothing."""

_SMALLEST = 1e-11
_TINY = float(np.finfo(np.float64).tiny)
_NOTHING = np.empty((4096, 0))


class Step(NamedTuple):
    """Where the quadratic model has its minimum, and how far that is in standard errors."""

    direction: FloatArray
    decrement: float


@dataclass(frozen=True, eq=False)
class InverseHessian:
    """H^-1 on the coefficients that are free to move; 0 elsewhere.

    ``flat`` (p, k) holds the directions without curvature: k > 0 where columns repeat each other.
    """

    matrix: FloatArray
    free: FloatArray
    flat: FloatArray

    @classmethod
    def of(cls, H: FloatArray, *, free: FloatArray, scale: FloatArray) -> InverseHessian:
        """Invert H where it can be inverted.

        H_jj (H^-1)_jj is 1 / (1 - R_j^2), with R_j^2 the share of coefficient j that the others
        can take over: it is huge where columns repeat each other. The inverse then leaves out the
        directions that the data say nothing about (Moore-Penrose, in the units of ``scale``):
        coefficients that start at 0 end at the solution of least norm, and duplicate columns
        share their weight.
        """
        if free.all():
            inverse = _regular_inverse(H)
            if inverse is not None:
                return cls(inverse, free, _NOTHING[: len(H)])
        scale = scale * free
        values, vectors = np.linalg.eigh(_scaled(H, scale))
        kept = values > _SMALLEST * max(float(values[-1]), 0.0)
        curved, flat = vectors[:, kept], vectors[:, ~kept]
        inverse = _scaled((curved / values[kept]) @ curved.T, scale)
        return cls(inverse, free, scale[:, np.newaxis] * flat)

    def step(self, gradient: FloatArray, weight: float) -> Step:
        """s = -H^-1 g and sqrt(S g' H^-1 g), which bounds every |s_j| / standard error of j.

        A gradient along a flat direction counts as if the curvature there were that of a column:
        repeated columns have none, but far from the optimum curvature can vanish altogether.
        """
        direction = -(self.matrix @ gradient)
        squared = -weight * float(gradient @ direction)
        if self.flat.size:
            squared += weight * float(np.square(gradient @ self.flat).sum())
        # A NaN fails both comparisons and counts as far away.
        return Step(direction, math.sqrt(max(squared, 0.0)) if squared < FAR**2 else FAR)

    def updated(self, moved: FloatArray, change: FloatArray) -> InverseHessian:
        """The BFGS update: the symmetric matrix nearest by that maps the gradient's change to the move.

        H^-1 <- (I - s y'/s'y) H^-1 (I - y s'/s'y) + s s'/s'y (Nocedal and Wright 2006, 6.17).
        """
        change = change * self.free
        product = float(moved @ change)
        if not product > 0:
            return self
        Hy = self.matrix @ change
        # (1 + y'H^-1 y / s'y) s s' - H^-1 y s' - s y'H^-1 = u s' + s u', all divided by s'y
        u = (0.5 + 0.5 * float(change @ Hy) / product) * moved - Hy
        half = u[:, np.newaxis] * (moved / product)
        matrix: FloatArray = self.matrix + half + half.T
        return InverseHessian(matrix, self.free, self.flat)


def _regular_inverse(H: FloatArray) -> FloatArray | None:
    try:
        inverse = np.asarray(np.linalg.inv(H), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
    shares = inverse.diagonal() * H.diagonal()
    is_regular = shares.min(initial=1.0) > 0 and shares.max(initial=1.0) < 1 / _SMALLEST
    return inverse if is_regular else None


def _scaled(A: FloatArray, scale: FloatArray) -> FloatArray:
    return A * scale * scale[:, np.newaxis]


def unit_diagonal(H: FloatArray) -> FloatArray:
    """The scale that gives H a diagonal of ones."""
    return 1.0 / np.sqrt(np.maximum(H.diagonal(), _TINY))


def constant_columns(H: FloatArray) -> IntArray:
    """The columns that say nothing beside the intercept.

    With H = [Z 1]' diag(h) [Z 1] the weighted variance of column j is H_jj - H_jb^2 / H_bb. It
    counts as 0 within the rounding of its two parts, and where the squares underflow.
    """
    squares = H.diagonal()[:-1]
    variance = squares - H[:-1, -1] ** 2 / H[-1, -1]
    return np.flatnonzero(~(variance > np.maximum(64 * EPS * squares, 1e-300)))

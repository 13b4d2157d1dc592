"""The inverse of a symmetric positive semidefinite matrix, and what it cannot tell; no statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlcore.arrays import FloatArray

_SMALLEST_DIAGONAL = 1e-290
_SMALLEST_PIVOT = 1e-11
_SMALLEST_EIGENVALUE = 1e-11
_LARGEST_SHARE = 1e-9


@dataclass(frozen=True, eq=False)
class Inverse:
    """A^-1 = factor' factor, with factor of shape (rank, size).

    ``determined`` marks the coordinates that A alone settles: e_j is orthogonal to the null
    space of A, so every generalised inverse has the same entry (j, j) (Rao 1973, section 4a).
    Coordinates without a diagonal (A_jj up to 1e-290) are not determined; their columns of factor are 0.
    ``null`` spans the null space of A scaled to a unit diagonal, shape (size, size - rank).
    """

    factor: FloatArray
    determined: NDArray[np.bool_]
    null: FloatArray

    @property
    def rank(self) -> int:
        return len(self.factor)

    @property
    def matrix(self) -> FloatArray:
        product: FloatArray = self.factor.T @ self.factor
        return product


def inverse(A: FloatArray) -> Inverse:
    """The (pseudo-)inverse of a symmetric positive semidefinite A (size, size).

    A is first scaled to a unit diagonal, so units of measurement do not decide about rank. Then
    by Cholesky; where a pivot falls to 1e-11, by eigenvectors, leaving out eigenvalues up to
    1e-11 times the size.

    >>> inverse(np.array([[4.0, 0.0], [0.0, 0.0]])).matrix
    array([[0.25, 0.  ],
           [0.  , 0.  ]])
    >>> inverse(np.ones((2, 2))).determined
    array([False, False])
    """
    present = np.diag(A) > _SMALLEST_DIAGONAL
    scale = 1.0 / np.sqrt(np.diag(A)[present])
    scaled = A[np.ix_(present, present)] * scale * scale[:, np.newaxis]
    root, null = _root(scaled)
    factor = np.zeros((len(root), len(A)))
    factor[:, present] = root * scale
    determined = present.copy()
    determined[present] = np.square(null).sum(axis=1) <= _LARGEST_SHARE
    wide = np.zeros((len(A), null.shape[1]))
    wide[present] = null
    return Inverse(factor, determined, wide)


def _root(scaled: FloatArray) -> tuple[FloatArray, FloatArray]:
    """R with R'R = scaled^-1 on its range, and an orthonormal basis of its null space."""
    size = len(scaled)
    try:
        L = np.linalg.cholesky(scaled)
        if np.square(np.diag(L)).min(initial=1.0) > _SMALLEST_PIVOT:
            return np.linalg.solve(L, np.eye(size)), np.empty((size, 0))
    except np.linalg.LinAlgError:
        pass
    values, vectors = np.linalg.eigh(scaled)
    kept = values > _SMALLEST_EIGENVALUE * size
    root: FloatArray = (vectors[:, kept] / np.sqrt(values[kept])).T
    return root, vectors[:, ~kept]

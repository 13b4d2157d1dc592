"""A certificate that no finite optimum exists: the classes are separated; knows no column names.

Without a penalty the likelihood of separated classes grows for ever along some direction (Albert
and Anderson 1984). Newton walks along it; looking at what its step does to each row proves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.loss import logits
from mlcore.rows import Block, Rows
from mlcore.softmax import scores

_MOST_COLUMNS = 5


@dataclass(frozen=True)
class Separation:
    """How the classes are separated, by how many rows, and the columns that do it.

    "complete": some direction puts every row strictly on its own side. "quasi": it moves
    ``rows`` rows to their own side and leaves the others where they are. ``columns`` are
    numbers, the strongest first (at most 5).
    """

    kind: Literal["complete", "quasi"]
    rows: int
    columns: tuple[int, ...]


def find_separation(
    rows: Rows, theta: FloatArray, direction: FloatArray, scale: FloatArray
) -> Separation | None:
    """Judge one Newton step at theta.

    With u_i the change of row i's margin under the step: min u > 0 proves complete separation,
    and so do margins that are all positive already. After a few steps, max u > 0.5 with
    min u > -1e-3 is quasi-separation: Newton raises the logits of separated rows by about 1 a
    step and leaves the others in peace; rows with u > 0.1 are counted (all three bounds are
    empirical). ``scale`` turns
    coefficients into comparable units.
    """
    apart, lowest, highest, moved, right, n = True, np.inf, -np.inf, 0, True, 0
    for block in rows.blocks():
        seen = slice(None) if block.weights is None else block.weights > 0
        change = _margins(block, direction)[seen]
        right &= bool((_margins(block, theta)[seen] > 0).all())
        lowest = min(lowest, float(change.min(initial=np.inf)))
        highest = max(highest, float(change.max(initial=-np.inf)))
        moved += int((change > 0.1).sum())
        n += len(change)
    apart = lowest > 0 or right
    columns = _strongest(theta + direction if right else direction, scale, rows.n_columns)
    if apart:
        return Separation("complete", n, columns)
    return Separation("quasi", moved, columns) if highest > 0.5 and lowest > -1e-3 else None


def largest_margin(rows: Rows, theta: FloatArray) -> float:
    """The log-odds of the row that the model is surest of, where it is right."""
    return max(float(_margins(block, theta).max()) for block in rows.blocks())


def _margins(block: Block, theta: FloatArray) -> FloatArray:
    """How far each row is on the side of its own class, in log-odds against the next best."""
    if len(theta) == block.X.shape[1] + 1:
        return (2.0 * block.y - 1.0) * logits(block.X, theta)
    eta = scores(block.X, theta)
    own = np.arange(len(eta)), block.y.astype(np.int64)
    mine = eta[own]
    eta[own] = -np.inf
    margin: FloatArray = mine - eta.max(axis=1)
    return margin


def _strongest(direction: FloatArray, scale: FloatArray, d: int) -> tuple[int, ...]:
    """The columns along which the direction moves most, down to a tenth of the first."""
    moves = np.abs(direction / scale).reshape(-1, d + 1)[:, :d].max(axis=0)
    order = np.argsort(-moves, kind="stable")[:_MOST_COLUMNS].tolist()
    return tuple(j for j in order if moves[j] >= 0.1 * moves.max())

"""Sums of many vectors whose last bit does not depend on who added them; knows no rows.

Vectors are added in a fixed binary tree whose shape depends on their number alone: rows in one
piece, in threads or in processes give the same sums to the last bit. (BLAS may round differently
on another processor.)
"""

from __future__ import annotations

from functools import reduce

import numpy as np

from mlcore.arrays import FloatArray

Place = tuple[int, int]
"""A node of the sum tree: its level above the blocks, and its number within the level."""


class PairwiseSum:
    """Adds vectors by place: two neighbours become their parent as soon as both are there.

    The order of arrival does not matter, and the error grows with the logarithm of the number
    of blocks (Higham 1993, "The accuracy of floating point summation").

    >>> sums = PairwiseSum()
    >>> for number in (2, 0, 1):
    ...     sums.add((0, number), np.array([10.0**number]))
    >>> sums.total()
    array([111.])
    """

    def __init__(self, nodes: dict[Place, FloatArray] | None = None) -> None:
        self.nodes = {} if nodes is None else nodes

    def add(self, place: Place, value: FloatArray) -> None:
        level, number = place
        while (sibling := self.nodes.pop((level, number ^ 1), None)) is not None:
            value = value + sibling
            level, number = level + 1, number >> 1
        self.nodes[level, number] = value

    def total(self) -> FloatArray:
        """The nodes that found no sibling, from the lowest level up."""
        return reduce(np.add, [self.nodes[place] for place in sorted(self.nodes)])

"""How far two versions agree on the same rows, added up block by block; it knows no tables.

Its memory does not grow with the rows, but for six bytes a labelled one.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from endpoints.services.logged_rows import Place
from mlcore.arrays import FloatArray, IntArray
from mlcore.intervals import BootstrapSettings, wilson
from mlcore.paired import Answers, DifferenceReport, paired_difference

LISTED = 10
QUANTILES = (0.5, 0.9, 0.99)
DRAWS = 20_000_000
"""Of the bootstrap, over all resamples, so that many labels take seconds and no minutes."""
_EDGES = np.concatenate([[0.0], np.logspace(-12, 0, 1_201)])
"""A hundred bins a decade: a quantile is off by at most 2.4 %."""


class Disagreement(NamedTuple):
    """One row. Both probabilities are `of` one class: of two the positive one, of more that which differs most."""

    difference: float
    request_id: str
    row: int
    answered: str
    replayed: str
    of: str
    answered_probability: float
    replayed_probability: float


@dataclass(frozen=True)
class Differences:
    """Of the probabilities: per row the largest over the classes."""

    mean: float
    largest: float
    quantiles: dict[str, float]


@dataclass
class Agreement:
    """What was answered against what another version says, for K classes in one order for both."""

    classes: tuple[str, ...]
    rows: int = 0
    not_scored: int = 0
    largest: list[Disagreement] = field(default_factory=list)
    _sum: float = 0.0
    _counts: IntArray = field(default_factory=lambda: np.zeros(len(_EDGES), dtype=np.int64))
    _labelled: list[NDArray[np.int16]] = field(default_factory=list)

    def __post_init__(self) -> None:
        size = len(self.classes)
        self.decisions = np.zeros((size, size), dtype=np.int64)
        """Rows by what was answered (first) and what is said now."""

    def add(self, answered: Answers, replayed: Answers, place: Callable[[int], Place]) -> None:
        """Add rows; `place` says where the row of a number comes from."""
        size, n_rows = len(self.classes), len(answered.chosen)
        cells = np.bincount(answered.chosen * size + replayed.chosen, minlength=size * size)
        self.decisions += cells.reshape(size, size)
        apart = np.abs(answered.probabilities - replayed.probabilities)
        per_row = apart.max(axis=1, initial=0.0)
        self.rows += n_rows
        self._sum += float(per_row.sum())
        bins = np.searchsorted(_EDGES, np.minimum(per_row, 1.0))
        self._counts += np.bincount(bins, minlength=len(_EDGES))
        top = np.argsort(-per_row, kind="stable")[:LISTED] if n_rows else ()
        found = [
            self._disagreement(row, self._telling(apart[row]), answered, replayed, place)
            for row in map(int, top)
        ]
        self.largest = heapq.nlargest(LISTED, [*self.largest, *found], key=lambda one: one[0])

    def add_labels(self, truth: IntArray, answered: IntArray, replayed: IntArray) -> None:
        """Add rows whose true class is known; all three are class numbers."""
        self._labelled.append(np.array([truth, answered, replayed], dtype=np.int16))

    @property
    def agreed(self) -> int:
        return int(np.trace(self.decisions))

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.agreed, self.rows)

    @property
    def differences(self) -> Differences | None:
        if not self.rows:
            return None
        largest = self.largest[0].difference
        upto = np.cumsum(self._counts)
        places = [int(np.searchsorted(upto, share * self.rows)) for share in QUANTILES]
        quantiles = {
            str(share): min(float(_EDGES[place]), largest)
            for share, place in zip(QUANTILES, places, strict=True)
        }
        return Differences(self._sum / self.rows, largest, quantiles)

    def accuracy(self) -> DifferenceReport | None:
        """Compare the accuracy on the labelled rows: `first` is what is said now, `second` was answered."""
        if not self._labelled:
            return None
        truth, answered, replayed = np.concatenate(self._labelled, axis=1).astype(np.int64)
        resamples = min(max(DRAWS // len(truth), 200), 2_000)
        # Of the answers accuracy looks at the chosen classes alone.
        unused: FloatArray = np.zeros((len(truth), len(self.classes)))
        return paired_difference(
            truth,
            Answers(unused, replayed),
            Answers(unused, answered),
            "accuracy",
            settings=BootstrapSettings(resamples=resamples),
        )

    def _disagreement(
        self,
        row: int,
        label: int,
        answered: Answers,
        replayed: Answers,
        place: Callable[[int], Place],
    ) -> Disagreement:
        before, now = (float(said.probabilities[row, label]) for said in (answered, replayed))
        names: Sequence[str] = self.classes
        was, is_now = (names[int(said.chosen[row])] for said in (answered, replayed))
        return Disagreement(abs(before - now), *place(row), was, is_now, names[label], before, now)

    def _telling(self, apart: FloatArray) -> int:
        return 1 if len(self.classes) == 2 else int(apart.argmax())

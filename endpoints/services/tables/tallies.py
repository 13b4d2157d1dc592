"""What a scoring counts, piece by piece: sums that can be added and kept as JSON. It reads no rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

BINS = 20
FIRST_ERRORS = 50
_TINY = 1e-15  # a probability of zero would cost infinitely much


@dataclass(frozen=True)
class Tally:
    """`histogram` counts rows by twentieths of P(positive), of three and more classes of the largest;
    `errors` bad rows by the code of their first error. `confusion` counts rows with a true label, by it
    and by the label that was given; `foreign` are labels that name no class."""

    rows: int = 0
    bad: int = 0
    histogram: Sequence[int] = (0,) * BINS
    labels: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    first_errors: Sequence[Mapping[str, Any]] = ()
    formulas: bool = False
    confusion: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    log_loss: float = 0.0
    brier: float = 0.0
    foreign: int = 0

    def plus(self, later: Tally) -> Tally:
        """Both together; `later` are rows that come after."""
        confusion = {true: Counter(found) for true, found in self.confusion.items()}
        for true, found in later.confusion.items():
            confusion.setdefault(true, Counter()).update(found)
        return Tally(
            rows=self.rows + later.rows,
            bad=self.bad + later.bad,
            histogram=[a + b for a, b in zip(self.histogram, later.histogram, strict=True)],
            labels=dict(Counter(self.labels) + Counter(later.labels)),
            errors=dict(Counter(self.errors) + Counter(later.errors)),
            first_errors=[*self.first_errors, *later.first_errors][:FIRST_ERRORS],
            formulas=self.formulas or later.formulas,
            confusion={true: dict(found) for true, found in confusion.items()},
            log_loss=self.log_loss + later.log_loss,
            brier=self.brier + later.brier,
            foreign=self.foreign + later.foreign,
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """An empty dict is no row at all."""
        return cls(**facts)

    @property
    def labelled(self) -> int:
        return sum(sum(found.values()) for found in self.confusion.values())

    def metrics(self, classes: Sequence[str]) -> dict[str, float] | None:
        """Accuracy, log loss, Brier score and, of two classes, precision and recall; None without labels.

        The Brier score is the mean of (1 - P(positive))^2 and P(positive)^2, of more classes the sum over
        all of them.
        """
        n = self.labelled
        if not n:
            return None
        right = sum(found.get(true, 0) for true, found in self.confusion.items())
        measured = {"rows": n, "accuracy": right / n}
        measured |= {"log_loss": self.log_loss / n, "brier": self.brier / n}
        if len(classes) == 2:
            measured |= self._of_positive(classes[0], classes[1])
        return measured

    def _of_positive(self, negative: str, positive: str) -> dict[str, float]:
        """Only what can be told: nothing was found positive, or nothing is."""
        hits = self.confusion.get(positive, {}).get(positive, 0)
        found = hits + self.confusion.get(negative, {}).get(positive, 0)
        there = sum(self.confusion.get(positive, {}).values())
        measured = {}
        if found:
            measured["precision"] = hits / found
        if there:
            measured["recall"] = hits / there
        if found + there:
            measured["f1"] = 2 * hits / (found + there)
        return measured


def least(probability: float) -> float:
    """The probability whose logarithm counts."""
    return max(probability, _TINY)

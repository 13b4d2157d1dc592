"""What a true label makes of a row of a test: right or wrong by class, and how far off. It knows no table."""

from __future__ import annotations

from typing import NamedTuple

from mlcore.outcomes import Goal

Probability = float | list[float]
"""Of the positive class of two, or one for each of three and more."""


class Said(NamedTuple):
    """What a version answered to one row."""

    prediction: int
    probability: Probability

    @property
    def is_binary(self) -> bool:
        return not isinstance(self.probability, list)

    def outcome(self, truth: int) -> str:
        """Of three and more classes a right answer counts as a tn and a wrong one as an fp."""
        is_right = self.prediction == truth
        if not self.is_binary:
            return "tn" if is_right else "fp"
        return ("tn", "tp")[truth] if is_right else ("fp", "fn")[truth]

    def squared_error(self, truth: int) -> float:
        """(p - y)^2 of two classes, the sum over all of more."""
        if not isinstance(self.probability, list):
            return (self.probability - truth) ** 2
        return sum((p - (k == truth)) ** 2 for k, p in enumerate(self.probability))


class LabelledRow(NamedTuple):
    """`shadow` is what the challenger of a shadow test says of the same row, None elsewhere.

    `unit` is empty where the row is a unit of its own.
    """

    unit: str
    answered: Said
    shadow: Said | None
    truth: int

    @property
    def cell(self) -> str:
        """Where a row of a shadow test is counted: by its true class and by who is right."""
        assert self.shadow is not None  # noqa: S101 - rows without a pair are not counted
        sides = "positives" if self.answered.is_binary and self.truth else "negatives"
        right = (self.answered.prediction == self.truth, self.shadow.prediction == self.truth)
        return f"{sides}_{_WHO[right]}"

    def worth(self, goal: Goal) -> tuple[float, float]:
        """What it adds to its unit: x and n of the metric; of a pair B's worth less A's, of one row.

        Of pairs under F1 there is no such x: their rows are only counted.
        """
        of_a = goal.worth(self.answered.outcome(self.truth))
        if self.shadow is None:
            return of_a
        if goal.metric == "f1":
            return 0.0, 1.0
        return goal.worth(self.shadow.outcome(self.truth))[0] - of_a[0], 1.0


_WHO = {
    (True, True): "both",
    (True, False): "only_a",
    (False, True): "only_b",
    (False, False): "neither",
}

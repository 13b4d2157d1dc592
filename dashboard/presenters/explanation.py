"""One scored row explained: from the intercept, column by column, to the log-odds and the probability."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.presenters import snippets
from endpoints.models import PredictionRequest
from endpoints.services import serving
from mlcore.classifier import Classifier
from mlcore.profile import ColumnProfile

Value = float | str
MOST_PARTS, TOP_PARTS = 14, 10


@dataclass(frozen=True)
class Part:
    """A column's share of the log-odds; `probability` is what it is once this part is added."""

    name: str
    value: Value
    typical: Value
    contribution: float
    running: float
    imputed: bool
    low: float | None
    high: float | None

    @property
    def is_number(self) -> bool:
        return not isinstance(self.value, str)

    @property
    def is_unusual(self) -> bool:
        """Say whether the value lies outside the training rows' smallest and largest."""
        if isinstance(self.value, str) or self.low is None or self.high is None:
            return False
        return not self.low <= self.value <= self.high


@dataclass(frozen=True)
class Explanation:
    classifier: Classifier
    row: int
    parts: tuple[Part, ...]
    intercept: float
    logit: float
    largest: float
    probability: float
    label: str

    @property
    def top(self) -> tuple[Part, ...]:
        """All parts if they are few, else the largest."""
        return self.parts if len(self.parts) <= MOST_PARTS else self.parts[:TOP_PARTS]

    @property
    def rest(self) -> tuple[Part, ...]:
        return self.parts[len(self.top) :]

    @property
    def rest_sum(self) -> float:
        return sum(part.contribution for part in self.rest)

    @property
    def unusual(self) -> int:
        return sum(part.is_unusual for part in self.parts)

    @property
    def inputs(self) -> tuple[Part, ...]:
        """The parts in the order of the schema."""
        order = {name: place for place, name in enumerate(self.classifier.schema.names)}
        return tuple(sorted(self.parts, key=lambda part: order[part.name]))


def explain(request: PredictionRequest, row: int) -> Explanation:
    """Score the logged row again: the same bits come out. Raises NoModel."""
    classifier = serving.load(request.version)
    values = request.inputs[row]
    report = classifier.score_columns(classifier.schema.read([values]))
    imputed = request.imputed[row] if request.imputed else []
    contributions = report.contributions[0].tolist()
    parts = _parts(classifier, values, contributions, imputed)
    return Explanation(
        classifier=classifier,
        row=row,
        parts=parts,
        intercept=classifier.intercept,
        logit=float(report.logits[0]),
        largest=max((abs(part.contribution) for part in parts), default=0.0),
        probability=request.probabilities[row],
        label=classifier.classes[request.predictions[row]],
    )


def _parts(
    classifier: Classifier, values: list[Value], contributions: list[float], imputed: list[str]
) -> tuple[Part, ...]:
    """Return the largest contribution first, each with the log-odds up to and including it."""
    cells = zip(classifier.profile.columns, values, contributions, strict=True)
    running = classifier.intercept
    parts = []
    for profile, value, contribution in sorted(cells, key=lambda cell: -abs(cell[2])):
        running += contribution
        parts.append(
            Part(
                name=profile.name,
                value=value,
                typical=_typical(profile),
                contribution=contribution,
                running=running,
                imputed=profile.name in imputed,
                low=profile.minimum,
                high=profile.maximum,
            )
        )
    return tuple(parts)


def _typical(profile: ColumnProfile) -> Value:
    return snippets.typical_value(profile) if profile.mean is None else profile.mean

"""One scored row explained, class by class: from the intercept, column by column, to its score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dashboard.presenters import snippets
from endpoints.models import PredictionRequest
from endpoints.services import serving
from mlcore.classifier import Classifier
from mlcore.profile import ColumnProfile
from mlcore.rowscoring import RowReport

Value = float | str
MOST_PARTS, TOP_PARTS = 14, 10


@dataclass(frozen=True)
class Part:
    """A column's share of a score; `running` is the score once this part is added."""

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
class Side:
    """How one class came to its score; of two classes there is one side, the positive class's."""

    label: str
    parts: tuple[Part, ...]
    intercept: float
    score: float

    @property
    def largest(self) -> float:
        return max((abs(part.contribution) for part in self.parts), default=0.0)

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


@dataclass(frozen=True)
class Explanation:
    """`sides` starts with the class that was predicted; `shares` are the classes by probability."""

    classifier: Classifier
    row: int
    sides: tuple[Side, ...]
    shares: tuple[tuple[str, float], ...]
    probability: float
    label: str

    @property
    def chosen(self) -> Side:
        return self.sides[0]

    @property
    def others(self) -> tuple[Side, ...]:
        return self.sides[1:]

    @property
    def unit(self) -> str:
        """What a contribution is measured in."""
        if self.classifier.estimator.unit == "probability":
            return "probability"
        return "log-odds" if self.classifier.is_binary else "score"

    @property
    def is_calibrated(self) -> bool:
        return self.classifier.calibration is not None

    @property
    def unusual(self) -> int:
        return sum(part.is_unusual for part in self.chosen.parts)

    @property
    def inputs(self) -> tuple[Part, ...]:
        """The parts in the order of the schema."""
        order = {name: place for place, name in enumerate(self.classifier.schema.names)}
        return tuple(sorted(self.chosen.parts, key=lambda part: order[part.name]))


def explain(request: PredictionRequest, row: int) -> Explanation:
    """Score the logged row again: the same bits come out. Raises NoModel."""
    classifier = serving.load(request.version)
    report = classifier.score([request.inputs[row]]).rows()[0]
    predicted = request.predictions[row]
    classes = enumerate(classifier.classes)
    places = [0] if classifier.is_binary else sorted(range(len(classifier.classes)))
    places.sort(key=lambda k: (k != predicted, -report.probabilities[k]))
    sides = (_side(classifier, request, row, report, k) for k in places)
    return Explanation(
        classifier=classifier,
        row=row,
        sides=tuple(sides),
        shares=tuple(
            sorted(((n, report.probabilities[k]) for k, n in classes), key=lambda s: -s[1])
        ),
        probability=request.probability_of(row),
        label=classifier.classes[predicted],
    )


def _side(
    classifier: Classifier, request: PredictionRequest, row: int, report: RowReport, k: int
) -> Side:
    imputed = request.imputed[row] if request.imputed else []
    base = float(classifier.estimator.base[k])
    cells = zip(
        classifier.profile.columns, request.inputs[row], report.contributions[k], strict=True
    )
    label = classifier.classes[1 if classifier.is_binary else k]
    return Side(label, _parts(cells, base, imputed), base, report.scores[k])


def _parts(
    cells: Iterable[tuple[ColumnProfile, Value, float]], base: float, imputed: list[str]
) -> tuple[Part, ...]:
    """Return the largest contribution first, each with the score up to and including it."""
    running = base
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

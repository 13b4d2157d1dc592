"""Which rows of a logged request have a cell, a probability or a decision of a certain kind.

It sorts rows as the summaries of monitoring do (mlcore.window), so that a number of the drift page and
the rows behind it agree. It knows no query, no form and nothing of who asks.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from django.db import models

from endpoints.errors import InvalidRequest
from endpoints.models.prediction import headline
from mlcore.classifier import Classifier
from mlcore.errors import cut, did_you_mean, listed
from mlcore.profile import ColumnProfile

Wants = Callable[[Any], bool]

LONGEST_NAME = 200
"""Reports of drift keep so much of a feature's name, .."""
LONGEST_TEXT = 100
""".. and so much of a level that the training did not have."""


class Cells(models.TextChoices):
    """The first six are of one feature, the others of the answer."""

    PRESENT = "present", "with a value"
    MISSING = "missing", "without a value"
    OUTSIDE = "outside", "out of the training's range"
    UNSEEN = "unseen", "of a level not in the training"
    BETWEEN = "between", "above … and up to …"
    LEVEL = "level", "of the level …"
    SCORE = "score", "probability above … and up to …"
    PREDICTED = "predicted", "decided as …"


OF_A_FEATURE = (
    Cells.PRESENT,
    Cells.MISSING,
    Cells.OUTSIDE,
    Cells.UNSEEN,
    Cells.BETWEEN,
    Cells.LEVEL,
)


@dataclass(frozen=True)
class Wanted:
    """What rows are looked for. A range leaves out its lower end; without an end it has none."""

    cells: str
    feature: str = ""
    above: float = -math.inf
    up_to: float = math.inf
    level: str = ""


class Matcher(ABC):
    """Tells rows that are looked for by some columns of the log."""

    columns: tuple[str, ...]

    @abstractmethod
    def rows(self, logged: Sequence[Any]) -> list[int]:
        """Return the numbers of the rows, given these columns of a request."""


def matcher(classifier: Classifier, wanted: Wanted) -> Matcher:
    """Return what finds such rows of a version; raises InvalidRequest for a feature or class it has not."""
    if wanted.cells == Cells.SCORE:
        return _ByScore(wanted)
    if wanted.cells == Cells.PREDICTED:
        if wanted.level not in classifier.classes:
            raise _unknown("class", wanted.level, classifier.classes)
        return _ByDecision(classifier.classes.index(wanted.level))
    place = _place(classifier, wanted.feature)
    profile = classifier.profile.columns[place]
    return _ByCell(place, profile.name, _test(wanted, profile))


def _place(classifier: Classifier, feature: str) -> int:
    names = classifier.schema.names
    if feature in names:
        return names.index(feature)
    long = [name[:LONGEST_NAME] for name in names]
    if feature in long:
        return long.index(feature)
    raise _unknown("feature", feature, names)


def _unknown(what: str, name: str, known: Sequence[str]) -> InvalidRequest:
    hint = did_you_mean(name, known) or "."
    return InvalidRequest(f"There is no {what} “{cut(name)}”{hint} Known: {listed(known)}.")


class _ByScore(Matcher):
    columns = ("probabilities",)

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted

    def rows(self, logged: Sequence[Any]) -> list[int]:
        above, up_to = self._wanted.above, self._wanted.up_to
        found = enumerate(map(headline, logged[0]))
        return [row for row, probability in found if above < probability <= up_to]


class _ByDecision(Matcher):
    columns = ("predictions",)

    def __init__(self, number: int) -> None:
        self._number = number

    def rows(self, logged: Sequence[Any]) -> list[int]:
        return [row for row, number in enumerate(logged[0]) if number == self._number]


class _ByCell(Matcher):
    columns = ("inputs", "imputed")

    def __init__(self, place: int, name: str, wants: Wants) -> None:
        self._place, self._name, self._wants = place, name, wants

    def rows(self, logged: Sequence[Any]) -> list[int]:
        """What was filled in for want of a value is none; a request without such cells names no row."""
        inputs, imputed = logged
        filled = zip(inputs, imputed or repeat(()), strict=False)
        cells = (None if self._name in names else row[self._place] for row, names in filled)
        return [number for number, cell in enumerate(cells) if self._wants(cell)]


def _test(wanted: Wanted, profile: ColumnProfile) -> Wants:
    """Return what tells the cells; a cell without a value is None."""
    tests: dict[str, Wants] = {
        Cells.PRESENT: lambda cell: cell is not None,
        Cells.MISSING: lambda cell: cell is None,
    }
    tests |= _number_tests(wanted, profile) if profile.kind == "number" else {}
    tests |= _category_tests(wanted, profile) if profile.kind == "category" else {}
    if wanted.cells not in tests:
        has = "numbers, no levels" if profile.kind == "number" else "levels, no numbers"
        raise InvalidRequest(f"“{cut(profile.name)}” has {has}.")
    return tests[wanted.cells]


def _number_tests(wanted: Wanted, profile: ColumnProfile) -> dict[str, Wants]:
    low, high = profile.quantiles[0], profile.quantiles[-1]
    return {
        Cells.OUTSIDE: lambda cell: cell is not None and not low <= cell <= high,
        Cells.BETWEEN: lambda cell: cell is not None and wanted.above < cell <= wanted.up_to,
    }


def _category_tests(wanted: Wanted, profile: ColumnProfile) -> dict[str, Wants]:
    levels = frozenset(level for level, _ in profile.counts)

    def is_level(cell: Any) -> bool:
        if wanted.level in levels or cell in levels:
            return bool(cell == wanted.level)
        return cell is not None and str(cell)[:LONGEST_TEXT] == wanted.level

    return {
        Cells.UNSEEN: lambda cell: cell is not None and cell not in levels,
        Cells.LEVEL: is_level,
    }

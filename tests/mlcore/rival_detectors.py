"""Detectors of change that the package leaves out: plain, for streams of errors (1) and hits (0).

They are here so that numbers, and not hearsay, tell why. The settings are those that River 0.26 starts with; after an
alarm each begins anew with the next value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple, Protocol

from mlcore.streams import Adwin

State = Literal["steady", "warning", "alarm"]
WARM_UP = 30


class Rival(Protocol):
    def take(self, error: float) -> State: ...


class Found(NamedTuple):
    """The places of the values that raised an alarm, and of those that raised a warning."""

    alarms: list[int]
    warnings: list[int]


def watch(make: Callable[[], Rival], errors: Iterable[float]) -> Found:
    detector, found = make(), Found([], [])
    for place, error in enumerate(errors):
        state = detector.take(error)
        if state == "alarm":
            found.alarms.append(place)
            detector = make()
        elif state == "warning":
            found.warnings.append(place)
    return found


class Ddm:
    """Gama et al. (2004): p + s has risen from its smallest by more than 2 or 3 of the s found there.

    p is the share of errors of n values and s = sqrt(p (1 - p) / n); nothing is said of the first 30.
    """

    def __init__(self) -> None:
        self.n = self.errors = 0.0
        self.p_least = self.s_least = math.inf

    def take(self, error: float) -> State:
        self.n += 1
        self.errors += error
        p = self.errors / self.n
        s = math.sqrt(p * (1 - p) / self.n)
        if self.n <= WARM_UP:
            return "steady"
        if p + s <= self.p_least + self.s_least:
            self.p_least, self.s_least = p, s
        if p + s > self.p_least + 3 * self.s_least:
            return "alarm"
        return "warning" if p + s > self.p_least + 2 * self.s_least else "steady"


class Eddm:
    """Baena-Garcia et al. (2006): the distance between errors has shrunk to 0.95 or 0.9 of its largest.

    That is mean + 2 sd of the distances so far; nothing is said of the first 30 values and 30 errors.
    """

    def __init__(self) -> None:
        self.n = self.last = 0
        self.errors, self.mean, self.squares = 0, 0.0, 0.0
        self.most = -1.0

    def take(self, error: float) -> State:
        self.n += 1
        if not error:
            return "steady"
        distance, self.last = self.n - self.last, self.n
        self.errors += 1
        apart = distance - self.mean
        self.mean += apart / self.errors
        self.squares += apart * (distance - self.mean)
        if self.n <= WARM_UP:
            return "steady"
        return self._judged(self.mean + 2 * math.sqrt(self.squares / max(self.errors - 1, 1)))

    def _judged(self, now: float) -> State:
        if now > self.most:
            self.most = now
            return "steady"
        if self.errors <= WARM_UP:
            return "steady"
        level = now / self.most
        if level < 0.9:
            return "alarm"
        return "warning" if level < 0.95 else "steady"


class HddmA:
    """Frias-Blanco et al. (2015): the mean has risen from that of the lowest start by Hoeffding's bound.

    The start of n values with mean m is the one with the least m + sqrt(ln(1 / 0.001) / (2 n)). Against
    all N values the bound is sqrt((N - n) / (2 n N) ln(2 / c)), c = 0.005 for a warning, 0.001 for an alarm.
    """

    def __init__(self) -> None:
        self.n, self.total = 0, 0.0
        self.n_start, self.mean_start = 0, math.inf

    def take(self, error: float) -> State:
        self.n += 1
        self.total += error
        mean = self.total / self.n
        lowest = self.mean_start + _reach(self.n_start) if self.n_start else math.inf
        if lowest >= mean + _reach(self.n):
            self.n_start, self.mean_start = self.n, mean
            return "steady"
        scale = (self.n - self.n_start) / (2 * self.n_start * self.n)
        bounds: tuple[tuple[State, float], ...] = (("alarm", 0.001), ("warning", 0.005))
        for state, chance in bounds:
            if mean - self.mean_start >= math.sqrt(scale * math.log(2 / chance)):
                return state
        return "steady"


def _reach(n: int) -> float:
    return math.sqrt(math.log(1 / 0.001) / (2 * n))


class OlderAdwin(Adwin):
    """As River had it before: the newest bucket of every row was on neither side of a cut."""

    def _is_cut(self) -> bool:
        whole = self.rows
        self.rows = [row[:-1] for row in whole]
        found = super()._is_cut()
        self.rows = whole
        return found

"""Counts labelled rows of a test in memory and stores the sums; whoever counts holds the lock of the test.

It knows neither where labels come from nor which are old enough.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeVar

from endpoints.models import ABArm, ABPhase, ABTest, LabelledUnit
from endpoints.models.abcount import ArmName
from endpoints.models.abtest import TestKind
from endpoints.services.abtests import bandit_counts, looking
from endpoints.services.abtests.counts import ArmCounts, PhaseCounts
from endpoints.services.abtests.labelled_rows import LabelledRow, Said
from endpoints.services.abtests.plans import goal_of

PART = 400
"""Units or requests in a statement; some builds of SQLite allow 999 parameters."""

OUTCOMES = ("tn", "fp", "fn", "tp")
SUMS = ("units", "sum_x", "sum_n", "sum_xx", "sum_xn", "sum_nn")
CELLS = tuple(
    f"{side}_{who}"
    for side in ("negatives", "positives")
    for who in ("both", "only_a", "only_b", "neither")
)
OF_AN_ARM = ("requests", *OUTCOMES, "squares", "fourths", *SUMS)
OF_A_PHASE = (*CELLS, *SUMS, *looking.LOOKED)

Sign = Literal[1, -1]
"""-1 takes a row away that was counted with another label."""
UnitKey = tuple[int, str]
T = TypeVar("T")


class UnitChange:
    """What new labels add to one unit: worth, weight, rows."""

    __slots__ = ("n", "rows", "x")

    def __init__(self) -> None:
        self.x = self.n = 0.0
        self.rows = 0


class Book:
    """The counters of some phases of a test."""

    def __init__(self, test: ABTest, arms: Sequence[ABArm]) -> None:
        """Arms: both of each phase, read after the test was locked."""
        self.test = test
        self.arms: Mapping[int, ABArm] = {arm.pk: arm for arm in arms}
        self._goal = goal_of(test)
        self._is_shadow = test.kind == TestKind.SHADOW
        self._challengers = {arm.phase_id: arm for arm in arms if arm.name == ArmName.CHALLENGER}
        # Arms that were read together have a phase object each.
        self._phases = {arm.phase_id: arm.phase for arm in arms}
        self._labels_before = {key: self._labels_by_arm(key) for key in self._phases}
        self._units: dict[UnitKey, UnitChange] = defaultdict(UnitChange)
        self._touched: set[int] = set()
        self._changed: set[int] = set()
        self._corrected: set[int] = set()

    def settle(self, now: datetime) -> None:
        """Take the one look of a test whose last day is over, before later labels are counted."""
        for phase_id in self._phases:
            looking.settle(self.test, self._counts(phase_id), now)

    def add(self, arm_id: int, row: LabelledRow, sign: Sign = 1) -> None:
        """Count a row that the log has under this arm, or take it away: a label was corrected, so that what
        the looks before said of the phase is dropped.

        A row of a shadow test that the challenger could not score is no pair, and counts nowhere.
        """
        arm = self.arms[arm_id]
        if self._is_shadow:
            if row.shadow is None:
                return
            phase = self._phases[arm.phase_id]
            setattr(phase, row.cell, getattr(phase, row.cell) + sign)
            self._count(self._challengers[arm.phase_id], row.shadow, row.truth, sign)
        self._count(arm, row.answered, row.truth, sign)
        self._count_unit(arm, row, sign)

    def add_request(self, arm_id: int, rows: int, *, shadowed: bool) -> None:
        """Count the rows of a request that has become old enough, labelled or not."""
        arm = self.arms[arm_id]
        asked = [arm, self._challengers[arm.phase_id]] if shadowed else [arm]
        for each in asked:
            each.requests += rows
            self._note(each)

    def store(self, now: datetime) -> None:
        """Store all that changed, with a look at each phase."""
        self._settle_units()
        if self.test.kind == TestKind.BANDIT:
            self._look_at_all(now)
        else:
            self._look_at_each(now)
        for arm_id in sorted(self._changed):
            self.arms[arm_id].save(update_fields=OF_AN_ARM)

    def _look_at_each(self, now: datetime) -> None:
        for phase_id in sorted(self._touched):
            phase = self._phases[phase_id]
            before = min(self._labels_before[phase_id])
            looking.note(
                self.test,
                self._counts(phase_id),
                now,
                labels_before=before,
                corrected=phase_id in self._corrected,
            )
            phase.save(update_fields=OF_A_PHASE if self._is_shadow else looking.LOOKED)

    def _look_at_all(self, now: datetime) -> None:
        """A bandit is looked at as a whole, and its newest phase keeps what was seen."""
        if not self._touched:
            return
        order = sorted(self._phases, key=lambda phase_id: self._phases[phase_id].number)
        whole = bandit_counts.together([self._counts(phase_id) for phase_id in order])
        if self._corrected:
            looking.forget_all(self.test, whole.phase)
        looking.note(self.test, whole, now, labels_before=self._least_before(order))
        whole.phase.save(update_fields=looking.LOOKED)

    def _least_before(self, order: Sequence[int]) -> int:
        return min(
            sum(self._labels_before[phase_id][side] for phase_id in order) for side in (0, 1)
        )

    def _count(self, arm: ABArm, said: Said, truth: int, sign: Sign) -> None:
        if sign == -1:
            self._corrected.add(arm.phase_id)
        outcome, square = said.outcome(truth), said.squared_error(truth)
        setattr(arm, outcome, getattr(arm, outcome) + sign)
        arm.squares += sign * square
        arm.fourths += sign * square * square
        self._note(arm)

    def _note(self, arm: ABArm) -> None:
        self._touched.add(arm.phase_id)
        self._changed.add(arm.pk)

    def _counts(self, phase_id: int) -> PhaseCounts:
        own = {arm.name: ArmCounts(arm) for arm in self.arms.values() if arm.phase_id == phase_id}
        phase = self._phases[phase_id]
        return PhaseCounts(phase, own[ArmName.CONTROL], own[ArmName.CHALLENGER])

    def _labels_by_arm(self, phase_id: int) -> tuple[int, int]:
        a, b = self._counts(phase_id).arms
        return a.arm.labels, b.arm.labels

    def _sums_of(self, arm: ABArm) -> ABArm | ABPhase:
        return self._phases[arm.phase_id] if self._is_shadow else arm

    def _count_unit(self, arm: ABArm, row: LabelledRow, sign: Sign) -> None:
        x, n = row.worth(self._goal)
        if row.unit:
            change = self._units[arm.pk, row.unit]
            change.x += sign * x
            change.n += sign * n
            change.rows += sign
        else:
            _move(self._sums_of(arm), x, n, sign)

    def _settle_units(self) -> None:
        """Move each unit's part of the sums from what it was to what it is."""
        for part in slices(sorted(self._units)):
            known, new = _known_units(part), []
            for key in part:
                sums, change = self._sums_of(self.arms[key[0]]), self._units[key]
                x, n, rows = known.get(key, (0.0, 0.0, 0))
                if rows:
                    _move(sums, x, n, -1)
                unit = LabelledUnit(arm_id=key[0], unit=key[1], x=x + change.x, n=n + change.n)
                unit.rows = rows + change.rows
                _move(sums, unit.x, unit.n, 1)
                new.append(unit)
            LabelledUnit.objects.bulk_create(
                new,
                update_conflicts=True,
                unique_fields=["arm", "unit"],
                update_fields=["x", "n", "rows"],
            )
        self._units.clear()


def slices(things: Sequence[T]) -> Iterator[Sequence[T]]:
    return (things[start : start + PART] for start in range(0, len(things), PART))


def _known_units(keys: Sequence[UnitKey]) -> dict[UnitKey, tuple[float, float, int]]:
    """Return x, n and rows so far. It finds all of these names in all of these arms, which are few."""
    arms, names = {arm for arm, _ in keys}, {name for _, name in keys}
    found = LabelledUnit.objects.filter(arm__in=arms, unit__in=names).order_by()
    columns = found.values_list("arm_id", "unit", "x", "n", "rows")
    return {(arm, unit): (x, n, rows) for arm, unit, x, n, rows in columns}


def _move(sums: ABArm | ABPhase, x: float, n: float, sign: Sign) -> None:
    sums.units += sign
    sums.sum_x += sign * x
    sums.sum_n += sign * n
    sums.sum_xx += sign * x * x
    sums.sum_xn += sign * x * n
    sums.sum_nn += sign * n * n

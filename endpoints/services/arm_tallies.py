"""What the writer of the log counts of the arms of A/B tests: one tally an arm, stored as other tallies are.

It knows no SQL. Which named units are new only the database can tell, for all writers together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

from endpoints.services import histograms
from endpoints.services.histograms import Counts

REMEMBERED_UNITS = 32_768
"""Of which this writer knows that they are stored: most units come again, and need no statement then."""


class Tried(NamedTuple):
    """What one request was to one arm.

    `unit` is the name that the caller gave it, "" for a request that is a unit of its own, None where
    another arm counts it. `latency_us` is None where the arm had no answer; `agreed` are the rows on
    which both arms say the same. `refused`: the rows fit no schema, which is no failure of the arm.
    """

    arm_id: int
    unit: str | None
    rows: int
    latency_us: int | None
    agreed: int = 0
    refused: bool = False


@dataclass
class ArmTally:
    """`requests` were answered; `errors` were not, and are no part of them. Units are counted before anybody
    knows whether they are answered, so that those of refused requests are among them."""

    requests: int = 0
    rows: int = 0
    units: int = 0
    errors: int = 0
    agreed: int = 0
    latencies: Counts = field(default_factory=dict)

    def copy(self) -> Self:
        return replace(self, latencies=dict(self.latencies))

    def add(self, tried: Tried) -> None:
        self.units += tried.unit == ""
        if tried.refused:
            return
        if tried.latency_us is None:
            self.errors += 1
            return
        self.requests += 1
        self.rows += tried.rows
        self.agreed += tried.agreed
        bucket = histograms.latency_bucket(tried.latency_us)
        self.latencies[bucket] = self.latencies.get(bucket, 0) + 1


NOTHING = ArmTally()


class ArmChanges(NamedTuple):
    """Tallies by arm as they will be, but for the named units that turn out to be new.

    The units are in order: two writers who held some of the same would wait for one another.
    """

    tallies: dict[int, ArmTally]
    units: list[tuple[int, str]]

    def count_new(self, arm_ids: Iterable[int]) -> None:
        for arm_id in arm_ids:
            self.tallies[arm_id].units += 1


class ArmTallies:
    """The tallies of one writer; safe in one thread only."""

    def __init__(self) -> None:
        self._kept: dict[int, ArmTally] = {}
        self._stored_units: set[int] = set()

    def with_these(self, tried: Iterable[Tried]) -> ArmChanges:
        """Return what these change; `keep` it once it is stored."""
        changed: dict[int, ArmTally] = {}
        units = set()
        for item in tried:
            tally = changed.get(item.arm_id)
            if tally is None:
                tally = changed[item.arm_id] = self._kept.get(item.arm_id, NOTHING).copy()
            tally.add(item)
            if item.unit and hash((item.arm_id, item.unit)) not in self._stored_units:
                units.add((item.arm_id, item.unit))
        return ArmChanges(changed, sorted(units))

    def keep(self, stored: ArmChanges) -> None:
        self._kept.update(stored.tallies)
        if len(self._stored_units) + len(stored.units) > REMEMBERED_UNITS:
            self._stored_units.clear()
        self._stored_units.update(map(hash, stored.units))

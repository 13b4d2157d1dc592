"""What a candidate changes against the production version: metrics, features, weights, settings, data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dashboard import formats, metrics
from dashboard.presenters import comparison
from dashboard.presenters.comparison import Comparison, NumberRow, Subject, TextRow
from dashboard.presenters.evaluation import class_counts
from endpoints.models import AlgorithmVersion
from endpoints.models.endpoint import Direction

SHOWN_LEVELS = 8
THRESHOLD = "threshold"
WAYS = {Direction.HIGHER: 1, Direction.LOWER: -1}


@dataclass(frozen=True)
class MetricRow:
    """A metric of both; `way` is +1 where higher is better, -1 where lower is, 0 where neither is."""

    numbers: NumberRow
    way: int
    is_primary: bool

    @property
    def change(self) -> float | None:
        return self.numbers.cells[-1].change


@dataclass(frozen=True)
class FeatureChange:
    """A column that only one of the two reads, or that they read differently."""

    name: str
    glyph: str
    word: str
    details: str


@dataclass(frozen=True)
class Difference:
    """Production first, the candidate second."""

    live: AlgorithmVersion
    version: AlgorithmVersion
    comparison: Comparison

    @property
    def sides(self) -> tuple[Subject, Subject]:
        live, candidate = self.comparison.subjects
        return live, candidate

    @property
    def claimed(self) -> list[Subject]:
        """The sides whose numbers are what their uploader says."""
        return [side for side in self.sides if side.run is not None and side.run.uploaded]

    @cached_property
    def metrics(self) -> list[MetricRow]:
        """Those on validation rows, the endpoint's own metric first."""
        primary = f"validation_{self.version.endpoint.primary_metric}"
        rows = [
            MetricRow(row, self._way(row.metric, primary), row.metric == primary)
            for row in self.comparison.validation
        ]
        return sorted(rows, key=lambda row: not row.is_primary)

    def _way(self, metric: str, primary: str) -> int:
        asked = self.version.endpoint.metric_direction if metric == primary else ""
        return WAYS.get(Direction(asked)) or metrics.direction(metric)

    @cached_property
    def features(self) -> list[FeatureChange]:
        live, candidate = (_features(side.described) for side in self.sides)
        names = dict.fromkeys([*candidate, *live])
        found = (_change_of(name, live.get(name), candidate.get(name)) for name in names)
        return [change for change in found if change is not None]

    @property
    def knows_features(self) -> bool:
        return all(side.described for side in self.sides)

    @property
    def settings_and_data(self) -> list[TextRow]:
        """The threshold, the other settings that differ, and all that is known of the data."""
        settings = [*self._threshold(), *_but_threshold(self.comparison.differing)]
        return [*settings, *self.comparison.data, *self._balance()]

    @property
    def identical(self) -> list[TextRow]:
        return _but_threshold(self.comparison.identical)

    def _threshold(self) -> list[TextRow]:
        """Return it as the versions have it; none of three or more classes has one."""
        used = (self.live.threshold, self.version.threshold)
        cells = tuple(None if value is None else comparison.short(str(value)) for value in used)
        return [TextRow(THRESHOLD, cells, used[0] != used[1])] if any(cells) else []

    def _balance(self) -> list[TextRow]:
        shares = [class_balance(side.described) for side in self.sides]
        if not any(shares):
            return []
        known = {share for share in shares if share}
        return [TextRow("Classes", tuple(share or None for share in shares), len(known) > 1)]


def between(live: AlgorithmVersion | None, version: AlgorithmVersion) -> Difference | None:
    """Return how the version differs from production; None if there is nothing to compare."""
    if live is None or live.run_id == version.run_id:
        return None
    titles = {live.run_id: live.label, version.run_id: version.label}
    subjects = comparison.subjects_of([live.run, version.run], titles)
    sides = tuple(subjects[run_id] for run_id in titles)
    return Difference(live, version, Comparison(sides, base=live.run_id))


def class_balance(described: Mapping[str, Any]) -> str:
    """Return each class's share of all labelled rows, training and validation, in words."""
    totals: dict[str, int] = {}
    for part in ("train", "validation"):
        for name, count in zip(
            described.get("classes", ()), class_counts(described, part), strict=False
        ):
            totals[name] = totals.get(name, 0) + count
    rows = sum(totals.values()) or 1
    return ", ".join(f"{name} {formats.percent(n / rows)}" for name, n in totals.items())


def _but_threshold(rows: list[TextRow]) -> list[TextRow]:
    return [row for row in rows if row.name != THRESHOLD]


def _features(described: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {feature["name"]: feature for feature in described.get("features", ())}


def _change_of(
    name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> FeatureChange | None:
    if before is None and after is not None:
        return FeatureChange(name, "+", "added", _about(after))
    if after is None and before is not None:
        return FeatureChange(name, "−", "removed", _about(before))
    if before is None or after is None or before == after:
        return None
    return FeatureChange(name, "≠", "changed", "; ".join(_differences(before, after)))


def _about(feature: Mapping[str, Any]) -> str:
    levels = tuple(feature["levels"])
    return f"{feature['kind']}: {_listed(levels)}" if levels else str(feature["kind"])


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    if before["kind"] != after["kind"]:
        return [f"{before['kind']} before, {after['kind']} now"]
    found = []
    new = [level for level in after["levels"] if level not in before["levels"]]
    gone = [level for level in before["levels"] if level not in after["levels"]]
    if new:
        found.append(f"new levels {_listed(new)}")
    if gone:
        found.append(f"levels gone {_listed(gone)}")
    if before["fill"] != after["fill"]:
        found.append(f"a missing value {_fill(before['fill'])} before, {_fill(after['fill'])} now")
    return found or ["its levels are in another order"]


def _fill(fill: float | str | None) -> str:
    if fill is None:
        return "is refused"
    return f"is {comparison.short(fill) if isinstance(fill, str) else format(fill, '.4g')}"


def _listed(levels: tuple[str, ...] | list[str]) -> str:
    more = f" and {len(levels) - SHOWN_LEVELS} more" if len(levels) > SHOWN_LEVELS else ""
    return f"{', '.join(levels[:SHOWN_LEVELS])}{more}"

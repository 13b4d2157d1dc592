"""Whether what callers send now looks like the rows that the candidate was trained on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from endpoints.models import AlgorithmVersion, PredictionRequest
from endpoints.services import artifacts
from endpoints.services.gates.case import Case
from endpoints.services.gates.gate import Check, Gate, Verdict
from mlcore.distances import adjusted
from mlcore.drift import FeatureDrift, measure
from mlcore.errors import ArtifactError, DataError, MlcoreError, listed
from mlcore.profile import ColumnProfile, Profile
from mlcore.results import Result
from mlcore.schema import Schema
from mlcore.window import Window

DRIFT = Check("drift", "Live inputs")
DAYS = 7
MOST_ROWS = 5_000
FEWEST_ROWS = 200
WATCH, SHIFT = 0.1, 0.25
CHANCE = 0.01
LIMIT = f"below {WATCH:g}; {SHIFT:g} fails"


@dataclass(frozen=True)
class Moved:
    """One column: its index of shift and p value by chance, and what training never saw."""

    column: FeatureDrift
    index: Result

    @property
    def psi(self) -> float:
        return self.index.statistic or 0.0

    @property
    def p_value(self) -> float:
        return self.index.p_value or 0.0


@dataclass(frozen=True)
class LiveInputs:
    """What was asked lately: values by column, None where missing, each of one kind."""

    rows: int
    columns: dict[tuple[str, str], list[Any]]


def like_the_training(case: Case) -> Gate:
    """Hold the worst column's index of shift against the habits of 0.1 and 0.25.

    An index that rows like the training's reach by chance, looked at all columns together, is
    no shift.
    """
    try:
        live = live_inputs(case)
        if live.rows < FEWEST_ROWS:
            return DRIFT.not_run(
                f"It needs {FEWEST_ROWS} logged rows of the last {DAYS} days; there are {live.rows}."
            )
        reports = _reports(case.model.profile, live)
    except MlcoreError as error:
        return DRIFT.gate("warn", f"It cannot be measured: {error}")
    if not reports:
        return DRIFT.not_run("The logged rows have none of its columns.")
    return _judge(case.version, live, reports)


def live_inputs(case: Case) -> LiveInputs:
    """The newest logged rows, at most 5,000; what people tried by hand is left out."""
    endpoint, since = case.version.endpoint, case.now - timedelta(days=DAYS)
    requests = PredictionRequest.objects.filter(endpoint=endpoint).monitored().since(since)
    counts = list(requests.values_list("row_count", flat=True)[:MOST_ROWS])
    if sum(counts) < FEWEST_ROWS:
        return LiveInputs(sum(counts), {})
    logged: Sequence[tuple[int, Any, Any]]
    logged = list(
        requests.values_list("version_id", "inputs", "imputed")[: _requests_needed(counts)]
    )
    schemas = _schemas({version for version, _, _ in logged}, case)
    columns: dict[tuple[str, str], list[Any]] = defaultdict(list)
    rows = 0
    for version, inputs, imputed in logged:
        if version in schemas:
            inputs = inputs[: MOST_ROWS - rows]
            rows += len(inputs)
            for column, values in _by_column(schemas[version], inputs, imputed):
                columns[column] += values
    return LiveInputs(rows, dict(columns))


def _requests_needed(row_counts: list[int]) -> int:
    """How many of the newest requests hold the rows wanted; one request may hold a thousand."""
    total = 0
    for needed, count in enumerate(row_counts, start=1):
        total += count
        if total >= MOST_ROWS:
            return needed
    return len(row_counts)


def _schemas(versions: set[int], case: Case) -> dict[int, Schema]:
    """What the logged lists mean; a version that cannot be loaded leaves out its rows."""
    found = {case.version.pk: case.model.schema}
    with suppress(ArtifactError):
        if case.rival is not None:
            found[case.rival.version.pk] = case.rival.model.schema
    others = versions - found.keys()
    for version in AlgorithmVersion.objects.filter(pk__in=others) if others else ():
        with suppress(ArtifactError):
            found[version.pk] = artifacts.load(version).schema
    return found


def _by_column(
    schema: Schema, inputs: list[list[Any]], imputed: list[list[str]]
) -> Iterator[tuple[tuple[str, str], list[Any]]]:
    for place, column in enumerate(schema.columns):
        values = [row[place] for row in inputs]
        if imputed:
            values = [
                None if column.name in filled else value
                for value, filled in zip(values, imputed, strict=False)
            ]
        yield (column.name, column.kind), values


def _reports(profile: Profile, live: LiveInputs) -> list[Moved]:
    """Of every column that is logged under the same name as values of the same kind."""
    return [
        _report(profile, column, live.columns[column.name, column.kind])
        for column in profile.columns
        if live.columns.get((column.name, column.kind))
    ]


def _report(profile: Profile, column: ColumnProfile, values: list[Any]) -> Moved:
    """Of one column alone: versions with other columns have logged other numbers of rows."""
    alone = replace(profile, columns=(column,))
    window = Window.empty(alone)
    window.add({column.name: values})
    [found] = measure(alone, window).features
    index = found.result("psi")
    if index is None:
        raise DataError(f"the training rows of {column.name} were not counted")
    return Moved(found, index)


def _judge(version: AlgorithmVersion, live: LiveInputs, reports: list[Moved]) -> Gate:
    chances = adjusted([report.p_value for report in reports])
    moved = [
        report
        for report, chance in zip(reports, chances, strict=True)
        if report.psi >= WATCH and chance < CHANCE
    ]
    worst = max(moved or reports, key=lambda report: report.psi)
    verdict: Verdict = "pass"
    if moved:
        verdict = "fail" if worst.psi >= SHIFT else "warn"
    return DRIFT.gate(
        verdict, _sentence(version, live, moved) + _unseen(version, reports), _value(worst), LIMIT
    )


def _sentence(version: AlgorithmVersion, live: LiveInputs, moved: list[Moved]) -> str:
    rows = f"{live.rows:,} logged rows of the last {DAYS} days"
    if not moved:
        return f"The {rows} look like the training rows of {version.label}."
    names = [report.column.name for report in sorted(moved, key=lambda report: -report.psi)]
    differ = "differs" if len(names) == 1 else "differ"
    return (
        f"In {rows}, {listed(names, limit=5)} {differ} from the training rows of {version.label}."
    )


def _unseen(version: AlgorithmVersion, reports: list[Moved]) -> str:
    columns = [report.column for report in reports]
    found = [f"{column.name} ({column.unseen:,})" for column in columns if column.unseen]
    return f" {version.label} does not know some levels of {listed(found)}." if found else ""


def _value(worst: Moved) -> str:
    column, rows = worst.column, worst.index.n_cur
    missing = f", {column.missing / rows:.1%} missing" if column.missing else ""
    return f"PSI {worst.psi:.3f} of {column.name}{missing}"

"""Whether what callers send now looks like the rows that the candidate was trained on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from endpoints.models import AlgorithmVersion, PredictionRequest
from endpoints.services import artifacts
from endpoints.services.gates.case import Case
from endpoints.services.gates.gate import Check, Gate, Verdict
from mlcore.drift import DriftReport, adjusted, column_drift
from mlcore.errors import ArtifactError, MlcoreError, listed
from mlcore.profile import Profile
from mlcore.schema import Schema

DRIFT = Check("drift", "Live inputs")
DAYS = 7
MOST_ROWS = 5_000
FEWEST_ROWS = 200
WATCH, SHIFT = 0.1, 0.25
CHANCE = 0.01
LIMIT = f"below {WATCH:g}; {SHIFT:g} fails"


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


def _reports(profile: Profile, live: LiveInputs) -> list[DriftReport]:
    """Of every column that is logged under the same name as values of the same kind."""
    return [
        column_drift(column, live.columns[column.name, column.kind], n_rows=profile.n_rows)
        for column in profile.columns
        if (column.name, column.kind) in live.columns
    ]


def _judge(version: AlgorithmVersion, live: LiveInputs, reports: list[DriftReport]) -> Gate:
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


def _sentence(version: AlgorithmVersion, live: LiveInputs, moved: list[DriftReport]) -> str:
    rows = f"{live.rows:,} logged rows of the last {DAYS} days"
    if not moved:
        return f"The {rows} look like the training rows of {version.label}."
    names = [report.name for report in sorted(moved, key=lambda report: -report.psi)]
    differ = "differs" if len(names) == 1 else "differ"
    return (
        f"In {rows}, {listed(names, limit=5)} {differ} from the training rows of {version.label}."
    )


def _unseen(version: AlgorithmVersion, reports: list[DriftReport]) -> str:
    found = [f"{report.name} ({report.unseen:,})" for report in reports if report.unseen]
    return f" {version.label} does not know some levels of {listed(found)}." if found else ""


def _value(worst: DriftReport) -> str:
    missing = f", {worst.missing / worst.rows:.1%} missing" if worst.missing else ""
    return f"PSI {worst.psi:.3f} of {worst.name}{missing}"

"""Whether the stored artefact still is what was registered, and answers fast enough."""

from __future__ import annotations

from time import perf_counter_ns

from endpoints.models import AlgorithmVersion
from endpoints.services import artifacts
from endpoints.services.gates.case import Case
from endpoints.services.gates.gate import Check, Gate
from mlcore import artifact
from mlcore.bundle import probe_rows
from mlcore.classifier import Classifier
from mlcore.errors import ArtifactError

SMOKE = Check("smoke", "Artefact reload")
LATENCY = Check("latency", "Latency")
ROWS = 100


def smoke_test(version: AlgorithmVersion) -> Gate:
    """Reload the artefact from disk and score the probe rows that it carries.

    Where this fails nobody can promote, whatever the policy; so nothing is timed here.
    """
    try:
        report = artifact.smoke_test(artifacts.folder(version), sha256=version.artifact_sha256)
    except ArtifactError as error:
        return SMOKE.gate("fail", f"The artefact cannot be used: {error}")
    return SMOKE.gate(
        "pass",
        "The stored file has the registered checksum and repeats its probabilities.",
        f"largest difference {report.largest_difference:.1g} on {report.rows} probe rows",
        "1e-12",
    )


def fast_enough(case: Case) -> Gate:
    """Hold the time of single rows against the endpoint's budget."""
    budget = case.version.endpoint.latency_budget_ms
    try:
        p95 = _p95_ms(case.model)
    except ArtifactError as error:
        return LATENCY.gate("warn", f"It cannot be measured: {error}")
    return LATENCY.gate(
        "pass" if p95 <= budget else "fail",
        f"95 of {ROWS} single rows take {_time(p95)} or less each; this endpoint allows {_time(budget)}.",
        f"p95 {_time(p95)} a row",
        _time(budget),
    )


def _p95_ms(model: Classifier) -> float:
    """The time that 95 of 100 rows, mixed from the training profile, need at most."""
    names = model.schema.names
    rows = [dict(zip(names, row, strict=True)) for row in probe_rows(model, ROWS)]
    model.score_row(rows[0])  # the first call prepares what the others use
    spent = []
    for row in rows:
        started = perf_counter_ns()
        model.score_row(row)
        spent.append(perf_counter_ns() - started)
    return sorted(spent)[94] / 1e6


def _time(ms: float) -> str:
    return f"{ms:.3g} ms" if ms >= 0.1 else f"{1000 * ms:.3g} us"

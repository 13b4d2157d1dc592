"""What a file of rows told, in the words of the drift page; nothing of it was logged or stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.presenters import drift
from dashboard.presenters.behind import Behind
from dashboard.presenters.drift import Drift
from dashboard.presenters.performance import METRICS
from endpoints.models import AlgorithmVersion, DriftReport
from endpoints.services.monitoring import judging
from endpoints.services.monitoring.given_rows import Given
from mlcore.intervals import IntervalReport
from mlcore.results import finite


@dataclass(frozen=True)
class Checked:
    """A file beside the training; `metrics` are those of its rows with a true label, by name."""

    name: str
    version: AlgorithmVersion
    drift: Drift
    labels: int
    metrics: Sequence[tuple[str, IntervalReport]]


def told(found: Given, name: str) -> Checked:
    findings, version = found.findings, found.chosen.version
    report = DriftReport(
        version=version,
        n_rows=findings.drift.n_cur,
        verdict=findings.drift.verdict,
        drift_score=finite(findings.drift.drift_score),
        impact=findings.impact,
    )
    columns = judging.columns_of(findings, found.summary, found.chosen.classifier)
    return Checked(
        name=name,
        version=version,
        drift=drift.told(report, columns, trends={}, behind=Behind(), where="file"),
        labels=found.labels,
        metrics=[(METRICS.get(key, key), value) for key, value in (found.realised or {}).items()],
    )

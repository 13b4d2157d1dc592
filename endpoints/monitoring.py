"""How drift is told, of rows that somebody gives and of windows of live rows.

Both doors answer with it, the native interface and the root; it knows neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from endpoints.errors import InvalidRows
from endpoints.given_tables import read_table
from endpoints.models import DriftReport, FeatureDrift
from endpoints.services import serving
from endpoints.services.access import Caller, Need
from endpoints.services.monitoring import given_rows, judging, reports
from endpoints.services.monitoring.given_rows import Given
from endpoints.services.snapshots import Served
from mlcore import drift
from mlcore.intervals import IntervalReport

FEATURE = (
    "name",
    "kind",
    "verdict",
    "effect",
    "p_adjusted",
    "psi",
    "z_shift",
    "missing",
    "out_of_range",
    "unseen",
)


def given(served: Served, body: bytes, version: int | None, *, caller: Caller) -> dict[str, Any]:
    """Tell of the rows of a body as `looked_at` does, to whom the endpoint's own rows may be told of or not."""
    found = given_json(served, looked_at(served, body, version))
    if not caller.may(Need.READ, served.endpoint):
        _hide_training_means(found)
    return found


def looked_at(served: Served, body: bytes, version: int | None) -> Given:
    """Hold the rows of a body against the training; raises NoModel where the endpoint is paused, and what
    reading and scoring rows raise."""
    serving.refuse_paused(served.endpoint)
    table = read_table(body, served, version)
    try:
        return given_rows.look_at(table.rows, table.labels, served=served, chosen=table.chosen)
    except InvalidRows as error:
        raise table.placed(error) from error


def given_json(served: Served, found: Given) -> dict[str, Any]:
    report = found.findings.drift.to_dict()
    features = [
        _given_feature(column, place, found)
        for place, column in enumerate(found.findings.drift.features)
    ]
    accuracy = found.realised["accuracy"].value if found.realised is not None else None
    return {
        "status": "OK",
        "endpoint": served.endpoint.slug,
        "version": found.chosen.version.number,
        "rows": report["n_cur"],
        "reference_rows": report["n_ref"],
        "drift_flag": report["verdict"] == "drift",
        "verdict": report["verdict"],
        "drift_score": report["drift_score"],
        "share_drifted": report["share_drifted"],
        "drifted": report["drifted"],
        "possible": report["possible"],
        "features": features,
        "outputs": report["outputs"],
        "quality": judging.quality_checks(found.findings.quality),
        "impact": found.findings.impact,
        "estimates": found.findings.estimates,
        "labels": found.labels,
        "continuous_accuracy": accuracy,
        "metrics": metrics_json(found.realised),
    }


def _hide_training_means(found: dict[str, Any]) -> None:
    """The shifts stay, in standard deviations; where the training lies is for whoever reads the endpoint."""
    for part in found["impact"] or ():
        for feature in part["features"]:
            feature["mean_ref"] = None


def metrics_json(
    metrics: Mapping[str, IntervalReport] | None,
) -> dict[str, dict[str, float | None]] | None:
    if metrics is None:
        return None
    return {
        name: {"value": metric.value, "low": metric.low, "high": metric.high}
        for name, metric in metrics.items()
    }


def report_json(report: DriftReport) -> dict[str, Any]:
    """A window of live rows with a line for each feature."""
    return _report(report) | {"features": [_feature(column) for column in report.columns.all()]}


def report_detail_json(report: DriftReport) -> dict[str, Any]:
    """The same with every check and the distributions."""
    features = [_feature(column) | _checks(column) for column in report.columns.all()]
    return _report(report) | {"features": features, "impact": report.impact}


def _report(report: DriftReport) -> dict[str, Any]:
    behind = reports.rows_behind(report)
    return {
        "id": report.pk,
        "endpoint": report.version.endpoint.slug,
        "version": report.version.number,
        "window": report.window,
        "since": _moment(behind.since),
        "until": _moment(behind.until),
        "open": report.is_open,
        "rows": report.n_rows,
        "verdict": report.verdict,
        "drift_score": report.drift_score,
        "share_drifted": report.drifted / report.features if report.features else None,
        "drifted": reports.drifted_names(report),
        "estimates": report.estimates,
        "computed_at": _moment(report.computed_at),
    }


def _moment(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _feature(column: FeatureDrift) -> dict[str, Any]:
    return {name: getattr(column, name) for name in FEATURE}


def _checks(column: FeatureDrift) -> dict[str, Any]:
    """What was checked of the distribution, and what of each value: there is a share of those."""
    return {
        "results": [check for check in column.results if "share" not in check],
        "quality": [check for check in column.results if "share" in check],
        "bins": column.bins,
    }


def _given_feature(column: drift.FeatureDrift, place: int, found: Given) -> dict[str, Any]:
    return column.to_dict() | {"out_of_range": judging.out_of_range(column, place, found.summary)}

"""What the answer on a version's performance looks like; see schemas."""

from __future__ import annotations

from endpoints.api.monitoring_schemas import VERDICT
from endpoints.api.schemas import (
    COUNT,
    MOMENT,
    NUMBER,
    PLACE,
    TEXT,
    WINDOW,
    Schema,
    by_name,
    listed,
    nullable,
    record,
    ref,
)

INTERVAL = {"value": nullable(NUMBER), "low": nullable(NUMBER), "high": nullable(NUMBER)}

PERFORMANCE: dict[str, Schema] = {
    "Performance": record(
        **PLACE,
        window=WINDOW,
        reference=nullable(
            record(
                rows=COUNT,
                threshold=nullable(NUMBER),
                metrics=by_name(nullable(NUMBER)),
                expected=by_name(nullable(NUMBER)),
            )
        ),
        delay=nullable(record(labels=COUNT, median_seconds=NUMBER, p90_seconds=NUMBER)),
        windows=listed(ref("PerformanceWindow")),
        detectors=listed(
            record(detector=TEXT, labels=COUNT, width=nullable(COUNT), error_rate=nullable(NUMBER))
        ),
        changes=listed(ref("ErrorChange")),
        note=nullable(TEXT),
        assumptions=listed(TEXT),
    ),
    "PerformanceWindow": record(
        start=MOMENT,
        end=MOMENT,
        rows=COUNT,
        labels=nullable(COUNT),
        coverage=nullable(NUMBER),
        realised=nullable(by_name(record(**INTERVAL))),
        estimated=nullable(by_name(record(**INTERVAL, standard_error=nullable(NUMBER)))),
        label_drift=nullable(
            record(verdict=VERDICT, effect=nullable(NUMBER), p_value=nullable(NUMBER))
        ),
    ),
    "ErrorChange": record(
        detector=TEXT,
        found_at=MOMENT,
        request_id={"type": "string", "format": "uuid"},
        predicted_at=MOMENT,
        labels=COUNT,
        rate_before=nullable(NUMBER),
        rate_after=nullable(NUMBER),
    ),
}

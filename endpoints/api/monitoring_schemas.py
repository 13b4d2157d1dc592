"""What the answers on drift look like; see schemas."""

from __future__ import annotations

from endpoints.api.monitoring import SETTINGS
from endpoints.api.schemas import (
    ANYTHING,
    COUNT,
    FLAG,
    MOMENT,
    NUMBER,
    PLACE,
    SLUG,
    TEXT,
    WINDOW,
    Schema,
    by_name,
    listed,
    nullable,
    record,
    ref,
)
from endpoints.models import FeatureDrift
from endpoints.models.monitoring import Verdict

VERDICT: Schema = {"type": "string", "enum": Verdict.values}
KIND: Schema = {"type": "string", "enum": FeatureDrift.Kind.values}
ENDS = {"value": nullable(NUMBER), "low": nullable(NUMBER), "high": nullable(NUMBER)}
METRICS = nullable(by_name(record(**ENDS)))
ESTIMATES = nullable(by_name(record(**ENDS, standard_error=nullable(NUMBER))))
IMPACT = nullable(
    listed(
        record(
            label=TEXT,
            total=nullable(NUMBER),
            features=listed(
                record(
                    name=TEXT,
                    impact=nullable(NUMBER),
                    mean_ref=nullable(NUMBER),
                    mean_cur=nullable(NUMBER),
                )
            ),
        )
    )
)
REPORT = {
    "id": COUNT,
    **PLACE,
    "window": WINDOW,
    "since": MOMENT,
    "until": MOMENT,
    "open": FLAG,
    "rows": COUNT,
    "verdict": VERDICT,
    "drift_score": nullable(NUMBER),
    "share_drifted": nullable(NUMBER),
    "drifted": listed(TEXT),
    "estimates": ESTIMATES,
    "computed_at": MOMENT,
}
FEATURE = {
    "name": TEXT,
    "kind": KIND,
    "verdict": VERDICT,
    "effect": nullable(NUMBER),
    "p_adjusted": nullable(NUMBER),
    "psi": nullable(NUMBER),
    "z_shift": nullable(NUMBER),
    "missing": COUNT,
    "out_of_range": COUNT,
    "unseen": COUNT,
}
CHECK = {
    "name": TEXT,
    "feature": TEXT,
    "statistic": nullable(NUMBER),
    "value": nullable(NUMBER),
    "threshold": NUMBER,
    "direction": {"type": "string", "enum": ["above", "below"]},
    "p_value": nullable(NUMBER),
    "p_adjusted": nullable(NUMBER),
    "n_ref": COUNT,
    "n_cur": COUNT,
    "verdict": VERDICT,
    "drifted": FLAG,
}
JUDGED = {
    "name": TEXT,
    "kind": KIND,
    "verdict": VERDICT,
    "drifted": FLAG,
    "effect": nullable(NUMBER),
    "threshold": NUMBER,
    "p_value": nullable(NUMBER),
    "p_adjusted": nullable(NUMBER),
    "n_ref": COUNT,
    "n_cur": COUNT,
    "missing": COUNT,
    "unseen": COUNT,
    "results": listed(ref("DriftCheck")),
}

MONITORING: dict[str, Schema] = {
    "Monitor": record(
        endpoint=SLUG,
        **{setting.name: setting.schema for setting in SETTINGS},
        looked_at=nullable(MOMENT),
    ),
    "Ticked": record(
        endpoint=SLUG, requests=COUNT, rows=COUNT, skipped=COUNT, windows=COUNT, complete=FLAG
    ),
    "DriftCheck": record(**CHECK),
    "QualityCheck": record(**CHECK, count=COUNT, share=NUMBER, low=NUMBER, high=NUMBER),
    "DriftReport": record(**REPORT, features=listed(record(**FEATURE))),
    "DriftReportDetail": record(
        **REPORT,
        features=listed(
            record(
                **FEATURE,
                results=listed(ref("DriftCheck")),
                quality=listed(ref("QualityCheck")),
                bins=ANYTHING,
            )
        ),
        impact=IMPACT,
    ),
    "GivenRows": {
        "type": "object",
        "minProperties": 1,
        "description": "Rows as for a prediction; beside `rows` or `features` perhaps `labels`, one for each "
        "row, and `version`.",
    },
    "GivenDrift": record(
        status={"const": "OK"},
        **PLACE,
        rows=COUNT,
        reference_rows=COUNT,
        drift_flag=FLAG,
        verdict=VERDICT,
        drift_score=nullable(NUMBER),
        share_drifted=nullable(NUMBER),
        drifted=listed(TEXT),
        possible=listed(TEXT),
        features=listed(record(**JUDGED, out_of_range=COUNT)),
        outputs=listed(record(**JUDGED)),
        quality=listed(ref("QualityCheck")),
        impact=IMPACT,
        estimates=ESTIMATES,
        labels=COUNT,
        continuous_accuracy=nullable(NUMBER),
        metrics=METRICS,
    ),
}

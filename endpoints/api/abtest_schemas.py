"""What the bodies and answers about A/B tests look like; see schemas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from endpoints.api.abtest_fields import CHALLENGER, CLASSIC, PLAN, SETTINGS
from endpoints.api.fields import Field
from endpoints.api.schemas import (
    COUNT,
    FLAG,
    MOMENT,
    NUMBER,
    SLUG,
    TEXT,
    URL,
    Schema,
    listed,
    nullable,
    record,
    ref,
)
from endpoints.models.abtest import Conclusion, Looks, TestKind, TestMetric, TestState
from endpoints.services.abtests.analysis import Banner
from endpoints.services.abtests.guarding import Code
from mlcore.abtest import Doubt

KNOWN = {"kind": TestKind.values, "metric": TestMetric.values, "looks": Looks.values}
MAYBE = nullable(NUMBER)


def given(fields: Sequence[Field]) -> Schema:
    """An object of which only the required fields must be there."""
    required = [field.name for field in fields if field.required]
    return record(**{field.name: field.schema for field in fields}) | {"required": required}


def one_of(values: Sequence[str]) -> Schema:
    return {"type": "string", "enum": list(values)}


PHASE = {
    "number": COUNT,
    "challenger_share": COUNT,
    "started_at": MOMENT,
    "ended_at": nullable(MOMENT),
}
TEST: dict[str, Schema] = {
    "id": COUNT,
    "endpoint": SLUG,
    "state": one_of(TestState.values),
    **{setting.name: setting.schema for setting in SETTINGS},
    "horizon": COUNT,
    "control": nullable(COUNT),
    "challenger": CHALLENGER.schema,
    "created_by": TEXT,
    "created_at": MOMENT,
    "started_by": TEXT,
    "started_at": nullable(MOMENT),
    "stopped_by": TEXT,
    "ended_at": nullable(MOMENT),
    "conclusion": nullable(one_of(Conclusion.values)),
    "reason": TEXT,
    "summary": TEXT,
    "parent_mlalgorithm_1": nullable(COUNT),
    "parent_mlalgorithm_2": COUNT,
    "url": URL,
}
SAID = {"report": ref("ABReport"), "kept": nullable(ref("ABReport"))}

ABTESTS: dict[str, Schema] = {
    "NewABTest": {"anyOf": [given(PLAN), given(CLASSIC)]},
    "ABTest": record(**TEST),
    "ABTestDetail": record(
        **TEST, **SAID, phases=listed(record(**PHASE)), size=nullable(ref("ABSize"))
    ),
    "ABTestExport": record(
        **TEST, **SAID, phases=listed(record(**PHASE, looks=listed(ref("ABLook"))))
    ),
    "ABTestStopped": record(message=TEXT, summary=TEXT),
    "ABSize": record(
        labels_needed=nullable(COUNT),
        fixed_labels_needed=nullable(COUNT),
        requests_needed=nullable(COUNT),
        labels_per_day=MAYBE,
        days=MAYBE,
        baseline=MAYBE,
        coverage=MAYBE,
    ),
    "ABLook": record(
        at=MOMENT, labels=COUNT, difference=NUMBER, low=NUMBER, high=NUMBER, p_value=NUMBER
    ),
    "ABReport": record(
        banner=one_of(get_args(Banner)),
        ended=FLAG,
        hidden_until=nullable(COUNT),
        hidden_until_units=nullable(COUNT),
        **{name: one_of(values) for name, values in KNOWN.items()},
        alpha=NUMBER,
        margin=NUMBER,
        phase=nullable(record(**PHASE)),
        labels=COUNT,
        labels_needed=COUNT,
        labels_per_day=MAYBE,
        days_left=MAYBE,
        agreement=MAYBE,
        control=ref("ABArm"),
        challenger=ref("ABArm"),
        result=nullable(ref("ABResult")),
        checks=record(
            sample_ratio_p=MAYBE,
            coverage_p=MAYBE,
            limit=NUMBER,
            doubts=listed(one_of(get_args(Doubt))),
        ),
        guardrails=listed(ref("ABGuardrail")),
        cautions=listed(TEXT),
        phases=listed(
            record(
                **PHASE,
                control=record(requests=COUNT, labels=COUNT),
                challenger=record(requests=COUNT, labels=COUNT),
                difference=MAYBE,
                low=MAYBE,
                high=MAYBE,
                b_best=MAYBE,
            )
        ),
    ),
    "ABArm": record(
        version=nullable(COUNT),
        planned_share=NUMBER,
        seen_share=MAYBE,
        requests=COUNT,
        rows=COUNT,
        units=COUNT,
        errors=COUNT,
        error_rate=MAYBE,
        p95_ms=MAYBE,
        labels=COUNT,
        coverage=MAYBE,
        value=MAYBE,
        low=MAYBE,
        high=MAYBE,
        brier=MAYBE,
    ),
    "ABResult": record(
        difference=MAYBE,
        relative_lift=MAYBE,
        decides=one_of(("always_valid", "fixed")),
        always_valid=nullable(record(low=NUMBER, high=NUMBER, p_value=NUMBER)),
        fixed=nullable(record(low=NUMBER, high=NUMBER, p_value=MAYBE)),
        b_better=MAYBE,
        expected_loss=nullable(record(of_a=NUMBER, of_b=NUMBER)),
    ),
    "ABGuardrail": record(
        code=one_of(get_args(Code)),
        control=MAYBE,
        challenger=MAYBE,
        limit=NUMBER,
        low=MAYBE,
        known=FLAG,
        breached=FLAG,
    ),
}

"""How an A/B test is written out: its plan and how it ended, among them the fields that older clients know.

It works out no number: reports come from the services.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request

from endpoints.api.change_serializers import moment_json
from endpoints.models import ABLook, ABPhase, ABTest, AlgorithmVersion
from endpoints.models.abcount import ArmName
from endpoints.models.abtest import TestState
from endpoints.services.abtests import analysis, sizing, summary
from endpoints.services.abtests.analysis import ABReport
from endpoints.services.abtests.plans import SETTINGS

OF_A_SIZE = (
    "labels_needed", "fixed_labels_needed", "requests_needed", "labels_per_day", "days", "baseline",
    "coverage",
)  # fmt: skip
OF_A_LOOK = ("labels", "difference", "low", "high", "p_value")


class TestSerializer(serializers.Serializer[ABTest]):
    """Of tests from `readable`."""

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return test_json(instance, self.context["request"])


def readable(tests: QuerySet[ABTest]) -> QuerySet[ABTest]:
    """Load what is written out of each, in one query for any number."""
    newest = ABPhase.objects.filter(test=OuterRef("pk")).order_by("-number")
    live = AlgorithmVersion.objects.in_production().filter(endpoint=OuterRef("endpoint"))
    return tests.select_related("endpoint", "control", "challenger").annotate(
        share=Subquery(newest.values("challenger_share")[:1]), live=Subquery(live.values("pk")[:1])
    )


def test_json(test: Any, request: Request) -> dict[str, Any]:
    """Return the test; of a draft the first of the older parents is the version in production now."""
    return {
        "id": test.pk,
        "endpoint": test.endpoint.slug,
        "state": test.state,
        **{name: getattr(test, name) for name in SETTINGS},
        "control": test.control.number if test.control is not None else None,
        "challenger": test.challenger.number,
        "challenger_share": test.share,
        "created_by": test.created_by_name,
        "created_at": moment_json(test.created_at),
        "started_by": test.started_by_name,
        "started_at": moment_json(test.started_at),
        "stopped_by": test.stopped_by_name,
        "ended_at": moment_json(test.stopped_at),
        "conclusion": test.conclusion or None,
        "reason": test.reason,
        "summary": summary_text(test),
        "parent_mlalgorithm_1": test.live if test.state == TestState.DRAFT else test.control_id,
        "parent_mlalgorithm_2": test.challenger_id,
        "url": request.build_absolute_uri(reverse("dashboard:test", args=[test.pk])),
    }


def detail_json(test: Any, request: Request, now: datetime) -> dict[str, Any]:
    """Return the test with its size while it is a draft, and what it says from then on."""
    is_draft = test.state == TestState.DRAFT
    return {
        **test_json(test, request),
        "phases": [] if is_draft else [_phase(phase) for phase in _phases(test)],
        "size": _size(test, now) if is_draft else None,
        "report": summary.as_dict(analysis.analyse(test, now)),
        "kept": test.summary,
    }


def export_json(test: Any, request: Request, now: datetime) -> dict[str, Any]:
    """Return the test with what it says and all looks that are kept, but none while results are hidden."""
    report = analysis.analyse(test, now)
    phases = [] if test.state == TestState.DRAFT else _phases(test)
    return {
        **test_json(test, request),
        "phases": [_phase(phase) | {"looks": _looks(phase, report)} for phase in phases],
        "report": summary.as_dict(report),
        "kept": test.summary,
    }


def summary_text(test: ABTest) -> str:
    """Say in one line how a test ended; nothing before."""
    if test.state != TestState.STOPPED:
        return ""
    ended = str(test.get_conclusion_display())
    kept = test.summary or {}
    arms = [_arm_text(test, kept[name]) for name in ArmName.values if name in kept]
    parts = (f"{ended[:1].upper()}{ended[1:]}.", f"{', '.join(arms)}." if arms else "", test.reason)
    return " ".join(part for part in parts if part)


def _arm_text(test: ABTest, arm: Mapping[str, Any]) -> str:
    if arm["value"] is None:
        return f"v{arm['version']}: {arm['labels']:,} labels"
    metric = test.get_metric_display()
    return f"v{arm['version']}: {metric} {arm['value']:.4f} of {arm['labels']:,} labels"


def _phases(test: ABTest) -> list[ABPhase]:
    return list(test.phases.order_by("number"))


def _phase(phase: ABPhase) -> dict[str, Any]:
    return {
        "number": phase.number,
        "challenger_share": phase.challenger_share,
        "started_at": moment_json(phase.started_at),
        "ended_at": moment_json(phase.ended_at),
    }


def _looks(phase: ABPhase, report: ABReport) -> list[dict[str, Any]]:
    """A label that was corrected or taken back may leave too few for what was seen before."""
    if report.is_hidden and phase == report.phase:
        return []
    return [_look(look) for look in phase.course.all()]


def _look(look: ABLook) -> dict[str, Any]:
    return {"at": moment_json(look.at), **{name: getattr(look, name) for name in OF_A_LOOK}}


def _size(test: ABTest, now: datetime) -> dict[str, Any]:
    found = sizing.size(test, test.endpoint, now)
    return {name: getattr(found, name) for name in OF_A_SIZE}

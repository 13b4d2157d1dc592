"""Logged requests by the thousand, and what the counts of their labels must agree with."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import Count, F, Q, Sum

from endpoints import request_ids
from endpoints.models import Endpoint, Feedback, LabelCount, PredictionRequest
from endpoints.models.prediction import Source
from endpoints.models.roll_up import Span
from endpoints.services import bulk_feedback, request_log, scoring, serving
from endpoints.services.bulk_feedback import BulkReport, Item
from endpoints.services.serving import Answer, Question
from tests import cast


def logged(endpoint: Endpoint, count: int, *, now: datetime = cast.THEN) -> list[UUID]:
    """Log this many requests of one row and return their ids, oldest first; it is scored once."""
    version = endpoint.versions.in_production().select_related("endpoint").get()
    question = Question(slug=endpoint.slug, rows=[cast.ROW], caller=cast.SYSTEM)
    scored = scoring.score(serving.load(version), [cast.ROW])
    answers = [Answer(request_ids.new(now), endpoint, version, scored) for _ in range(count)]
    request_log.log().write_all(
        [serving.logged(answer, question, now=now, latency_us=100) for answer in answers]
    )
    return sorted(answer.request_id for answer in answers)


def items(request_ids: list[UUID], *labels: str | float) -> list[Item]:
    """Give the requests these labels in turn."""
    return [
        Item(number, request_id, 0, labels[number % len(labels)])
        for number, request_id in enumerate(request_ids)
    ]


def send(sent: list[Item], *, caller: cast.Caller = cast.SYSTEM) -> BulkReport:
    return bulk_feedback.record_many(items=sent, faults=[], caller=caller, now=cast.THEN)


def outcomes(report: BulkReport) -> tuple[int, int, int, int, int]:
    return (
        report.recorded, report.corrected, report.duplicate, report.unknown, report.invalid,
    )  # fmt: skip


def counted(span: Span = Span.HOUR) -> tuple[int, int]:
    """Return all labels and all correct ones, as the counts have them."""
    found = LabelCount.objects.filter(seconds=span).aggregate(
        labels=Sum("rows", default=0),
        correct=Sum("rows", filter=Q(predicted=F("label")), default=0),
    )
    return found["labels"], found["correct"]


def cells(span: Span = Span.HOUR) -> dict[tuple[str, str], int]:
    """Return the confusion matrix of all times, (predicted, true) -> rows, without empty cells."""
    found = LabelCount.objects.filter(seconds=span, rows__gt=0).order_by()
    sums = found.values_list("predicted", "label").annotate(sum=Sum("rows"))
    return {(predicted, label): rows for predicted, label, rows in sums}


def stored() -> tuple[int, int]:
    """Return the same as the labels themselves have it."""
    tried = PredictionRequest.objects.filter(source=Source.TRY)
    current = Feedback.objects.filter(current=True).exclude(request__in=tried)
    found = current.aggregate(labels=Count("pk"), correct=Count("pk", filter=Q(correct=True)))
    return found["labels"], found["correct"]

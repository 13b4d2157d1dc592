"""Records true labels: the same label twice changes nothing, another one is a correction with history."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db import IntegrityError, transaction

from endpoints.errors import Conflict, InvalidRequest, NotFound
from endpoints.models import Feedback, PredictionRequest
from endpoints.services import access, serving
from endpoints.services.access import Caller, Need
from mlcore.errors import listed, shown
from mlcore.table import parse_number

UNKNOWN = "There is no prediction with this request id."
Outcome = Literal["recorded", "unchanged", "corrected"]


@dataclass(frozen=True)
class Recorded:
    feedback: Feedback
    outcome: Outcome


def find_request(request_id: str, *, caller: Caller) -> PredictionRequest:
    """Return a logged request that the caller may label; an unknown one and a foreign one look alike."""
    try:
        key = uuid.UUID(request_id)
    except ValueError:
        raise InvalidRequest(f"“{request_id[:64]}” is not a request id.") from None
    found = (
        PredictionRequest.objects.filter(pk=key)
        .select_related("endpoint", "version__endpoint")
        .first()
    )
    if found is None:
        raise NotFound(UNKNOWN)
    try:
        access.get_endpoint(caller=caller, slug=found.endpoint.slug, need=Need.FEEDBACK)
    except NotFound:
        raise NotFound(UNKNOWN) from None
    return found


def record(
    *, request: PredictionRequest, label: str | float, row: int, actor: Caller, now: datetime
) -> Recorded:
    """Add a true label, a class's name or its index, for one row of a logged request."""
    classes = serving.load(request.version).classes
    name = _class_name(classes, label)
    check_row(request, row)
    try:
        with transaction.atomic():
            return _replace(
                request,
                row,
                label=name,
                correct=classes[request.predictions[row]] == name,
                created_at=now,
                actor=actor.user,
                actor_name=actor.name,
            )
    except IntegrityError as error:
        raise Conflict(
            "Another label for this row arrived at the same moment. Send it again."
        ) from error


def check_row(request: PredictionRequest, row: int) -> None:
    if not 0 <= row < request.row_count:
        raise InvalidRequest(
            f"Row {row} is not in the request: it has {request.row_count}, counted from 0."
        )


def check_label(request: PredictionRequest, label: str | float) -> str:
    """Return the name of the class that is meant by a label of this request."""
    return _class_name(serving.load(request.version).classes, label)


def _class_name(classes: Sequence[str], label: str | float) -> str:
    """Return the class that is meant; a number is a class of that value, else a class's index."""
    if label in classes:
        return str(label)
    values = [parse_number(name) for name in classes]
    if isinstance(label, int | float) and label in values:
        return classes[values.index(label)]
    are_words = not any(value is not None for value in values)
    if isinstance(label, int) and are_words and 0 <= label < len(classes):
        return classes[label]
    raise InvalidRequest(f"{shown(label)} is not a label; use {_any_of(classes)}.")


def _any_of(classes: Sequence[str]) -> str:
    return " or ".join(classes) if len(classes) == 2 else f"one of {listed(classes)}"


def _replace(request: PredictionRequest, row: int, *, label: str, **facts: Any) -> Recorded:
    """Make this the row's current label. Facts: the new row's other fields."""
    present = request.feedback.filter(row=row, current=True).first()
    if present is not None and present.label == label:
        return Recorded(present, "unchanged")
    if present is not None:
        request.feedback.filter(pk=present.pk).update(current=False)
    added = Feedback.objects.create(request=request, row=row, label=label, **facts)
    return Recorded(added, "corrected" if present else "recorded")

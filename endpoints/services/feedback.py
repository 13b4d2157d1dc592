"""Records a true label: the same label twice changes nothing, another one is a correction with history."""

from __future__ import annotations

import re
import uuid
from datetime import datetime

from endpoints.errors import InvalidRequest, NotFound
from endpoints.models import PredictionRequest
from endpoints.services import access, label_store
from endpoints.services.access import Caller, Need
from endpoints.services.label_classes import classes_of
from endpoints.services.label_store import Logged, Recorded, TrueLabel

UNKNOWN = "There is no prediction with this request id."
ROW_NUMBER = re.compile("[0-9]{1,9}")


def parse_place(text: str) -> tuple[uuid.UUID, int | None]:
    """Read a request id, or `<request id>:<row>`."""
    request_id, colon, row = text.partition(":")
    key = _key(request_id)
    if colon and not ROW_NUMBER.fullmatch(row):
        raise InvalidRequest(f"“{text[:64]}” does not end in the number of a row.")
    return key, int(row) if colon else None


def _key(request_id: str) -> uuid.UUID:
    try:
        return uuid.UUID(request_id)
    except ValueError:
        raise InvalidRequest(f"“{request_id[:64]}” is not a request id.") from None


def find_request(request_id: str, *, caller: Caller) -> PredictionRequest:
    """Return a logged request that the caller may label; an unknown one and a foreign one look alike."""
    found = (
        PredictionRequest.objects.filter(pk=_key(request_id))
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
    classes = classes_of(request.version)
    name = classes.meant(label)
    check_row(request, row)
    predicted = classes.names[request.predictions[row]]
    logged = Logged.of(request, request.version)
    return label_store.store(TrueLabel(logged, row, name, predicted, now), actor=actor)


def check_row(request: PredictionRequest, row: int) -> None:
    if not 0 <= row < request.row_count:
        raise InvalidRequest(
            f"Row {row} is not in the request: it has {request.row_count}, counted from 0."
        )


def check_label(request: PredictionRequest, label: str | float) -> str:
    """Return the name of the class that is meant by a label of this request."""
    return classes_of(request.version).meant(label)

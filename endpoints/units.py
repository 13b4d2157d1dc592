"""Who a request is for, as the caller names it: a user, a session, a machine. It knows no tests and no answers.

The same unit under the same name is answered alike while an A/B test runs; the log keeps the name.
"""

from __future__ import annotations

import re

from django.http import HttpRequest

from endpoints.errors import InvalidRequest
from mlcore.errors import CellError, shown

SHAPE = "has 1 to 128 visible ASCII characters and no spaces"
HEADER, NAME = "X-Unit-ID", "unit_id"
USABLE = re.compile(r"[!-~]{1,128}")
IN_HEADER = re.compile(r"[!-+\--~]{1,128}")
"""A header that is sent twice arrives as one with a comma."""


def unit_of(request: HttpRequest, *named: object) -> str:
    """Return the unit of the header or of the places that a protocol has for it, "" where none is named.

    Raises InvalidRequest for a name that cannot be kept, and for two.
    """
    header = request.META.get("HTTP_X_UNIT_ID")
    if header is not None and IN_HEADER.fullmatch(header) is None:
        # Servers leave out the text of a header that is not ASCII: an empty one may have named a unit.
        raise _unusable(HEADER, f"{SHAPE} or commas", header)
    if len(request.GET.getlist(NAME)) > 1:
        raise _refused(NAME, f"{NAME} is in the query more than once.")
    units = [] if header is None else [header]
    units += [_usable(given) for given in named if given not in (None, "")]
    if len(set(units)) > 1:
        raise _refused(NAME, f"The request names two units: {shown(units[0])}, {shown(units[-1])}.")
    return units[0] if units else ""


def _usable(given: object) -> str:
    text = str(given) if type(given) is int else given
    if not isinstance(text, str) or USABLE.fullmatch(text) is None:
        raise _unusable(NAME, SHAPE, given)
    return text


def _unusable(place: str, wanted: str, given: object) -> InvalidRequest:
    return _refused(place, f"{place} {wanted}, not {shown(given)}.")


def _refused(place: str, message: str) -> InvalidRequest:
    cell = CellError(code="invalid_parameter", message=message, column=place)
    return InvalidRequest(message, cells=[cell])

"""Reads query parameters strictly: an unknown or unreadable one is an error, never ignored."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

from django.http import QueryDict

from endpoints.errors import InvalidRequest
from endpoints.models import Status
from mlcore.errors import CellError, cut, did_you_mean, listed, shown

FLAGS = {"1": True, "true": True, "0": False, "false": False}
ANSWERING = tuple(status.value for status in Status if status != Status.ARCHIVED)
MOST_NAMED = 20  # looking for the nearest name takes time
VERSION = re.compile(r"v?([0-9]{1,9})")


def refuse_unknown(given: Iterable[str], known: Iterable[str], *, what: str) -> None:
    """Refuse names outside `known`. What: "query parameter" or "field"."""
    known = sorted(known)
    unknown = (name for name in given if name not in known)
    cells = [
        CellError(
            code=f"unknown_{what.rpartition(' ')[2]}",
            message=f"{shown(name)} is not a {what} here{did_you_mean(name, known) or '.'} "
            f"Known: {listed(known) or 'none'}.",
            column=cut(name),
        )
        for name in islice(unknown, MOST_NAMED)
    ]
    if cells:
        raise InvalidRequest(cells[0].message, cells=cells)


def refuse_repeated(given: QueryDict) -> None:
    """Refuse a parameter that is said more than once: one of the two would be ignored."""
    for name, values in given.lists():
        if len(values) > 1:
            message = f"{cut(name)} is in the query more than once."
            cell = CellError(code="invalid_parameter", message=message, column=cut(name))
            raise InvalidRequest(message, cells=[cell])


def flag(text: str, *, name: str) -> bool:
    """Read 1, 0, true or false."""
    if text.lower() not in FLAGS:
        raise _unreadable(name, text, "1, 0, true or false")
    return FLAGS[text.lower()]


def status(text: str) -> str:
    return choice(text, name="status", choices=ANSWERING)


def choice(text: str, *, name: str, choices: Iterable[str]) -> str:
    if text not in choices:
        raise _unreadable(name, text, f"one of {', '.join(choices)}")
    return text


def version_number(text: str) -> int:
    """Read 7 or v7."""
    found = VERSION.fullmatch(text)
    if found is None:
        raise _unreadable("version", text, "a number such as 7 or v7")
    return int(found[1])


def _unreadable(name: str, text: str, wanted: str) -> InvalidRequest:
    message = f"{name} is {wanted}, not {shown(text)}."
    cell = CellError(code="invalid_parameter", message=message, column=name, value=shown(text))
    return InvalidRequest(message, cells=[cell])

"""Reads a list of true labels, JSON or CSV, into items for services.bulk_feedback; it knows no HTTP.

What cannot be read is a fault at its place; only a body that is no list at all is refused.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from django.conf import settings

from endpoints.bodies import parse_json
from endpoints.errors import InvalidRequest, TooLarge
from endpoints.services.bulk_feedback import Fault, Item
from endpoints.services.feedback import ROW_NUMBER, parse_place
from mlcore.delimiters import declared, delimiter_of
from mlcore.errors import cut, listed, shown

ID, PLACE, ROW, LABEL = "request_id", "prediction_id", "row", "label"
FIELDS = (PLACE, ID, ROW, LABEL)
HEADERS = [sorted(names) for names in ((PLACE, LABEL), (ID, LABEL), (ID, ROW, LABEL))]
SHAPES = (
    'Send {"feedback": [{"prediction_id": "<request_id>:<row>", "label": "Besni"}, ...]}, '
    "or CSV with the header prediction_id,label or request_id,row,label."
)


@dataclass
class LabelList:
    """The labels, and what could not be read; both numbered by items from 0 or by lines from 1."""

    counted_in: Literal["item", "line"]
    items: list[Item] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def add(self, number: int, entry: object) -> None:
        try:
            self.items.append(Item(number, *_read(entry)))
        except _Unreadable as error:
            self.faults.append(Fault(number, error.code, str(error)))


class _Unreadable(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def read(body: bytes) -> LabelList:
    """Raises InvalidJson, InvalidRequest or TooLarge. No CSV of ours starts as JSON does."""
    start = body.lstrip()[:1]
    if not start:
        raise InvalidRequest(f"The body is empty. {SHAPES}")
    return _from_json(body) if start in b"{[" else _from_csv(body)


def _from_json(body: bytes) -> LabelList:
    content = parse_json(body)
    if isinstance(content, dict) and content.keys() == {"feedback"}:
        content = content["feedback"]
    if not isinstance(content, list):
        raise InvalidRequest(f"The body is not a list of labels. {SHAPES}")
    _check_count(len(content))
    found = LabelList("item")
    for number, entry in enumerate(content):
        found.add(number, entry)
    return found


def _from_csv(body: bytes) -> LabelList:
    records = _records(body)
    names = [cell.strip() for cell in next(records, (0, ()))[1]]
    if sorted(names) not in HEADERS:
        raise InvalidRequest(f"The first line is not the header of a list of labels. {SHAPES}")
    found = LabelList("line")
    for count, (line, record) in enumerate(records, start=1):
        _check_count(count)
        found.add(line, _entry(names, record))
    return found


def _records(body: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield each record that is not empty, and the line on which it ends; the header tells the delimiter."""
    try:
        text = body.decode("utf-8-sig")
        delimiter, start = declared(text)
        above, text = len(text[:start].splitlines()), text[start:]
        header = text.lstrip("\r\n").partition("\n")[0]
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=delimiter or delimiter_of(header), strict=True
        )
        for record in reader:
            if record:
                yield above + reader.line_num, record
    except UnicodeDecodeError:
        raise InvalidRequest("The CSV is not UTF-8 text.") from None
    except csv.Error as error:
        raise InvalidRequest(f"The body cannot be read as CSV: {error}.") from None


def _entry(names: Sequence[str], record: Sequence[str]) -> object:
    """Return the record as JSON would have it; one of another length stays a list."""
    if len(record) != len(names):
        return record
    entry: dict[str, Any] = dict(zip(names, (cell.strip() for cell in record), strict=True))
    row = entry.get(ROW)
    if row is not None and ROW_NUMBER.fullmatch(row):
        entry[ROW] = int(row)
    return entry


def _check_count(count: int) -> None:
    limit = settings.RAISIN_MAX_LABELS
    if count > limit:
        raise TooLarge(f"The body holds more than {limit:,} labels; that is the most at a time.")


def _read(entry: object) -> tuple[UUID, int, str | float]:
    if not isinstance(entry, dict):
        message = f"{shown(entry)} is not one label with the fields {listed(FIELDS)}"
        raise _Unreadable("wrong_type", f"{message}.")
    _check_names(entry)
    request_id, row = _place(entry)
    label = entry[LABEL]
    if not isinstance(label, str | int | float) or isinstance(label, bool):
        raise _Unreadable("wrong_type", f"label is a class's name or number, not {shown(label)}.")
    return request_id, row, label


def _check_names(entry: Mapping[Any, object]) -> None:
    unknown = next((name for name in entry if name not in FIELDS), None)
    if unknown is not None:
        message = f"{cut(unknown)} is not a field of a label; known: {listed(FIELDS)}."
        raise _Unreadable("unknown_field", message)
    if LABEL not in entry:
        raise _Unreadable("missing_field", "label is missing.")
    if (PLACE in entry) == (ID in entry):
        raise _Unreadable("missing_field", f"Either {PLACE} or {ID} says what is labelled.")


def _place(entry: Mapping[Any, object]) -> tuple[UUID, int]:
    """Both ids may end in the row; if it is also given beside them, it must be the same."""
    text = entry.get(PLACE, entry.get(ID))
    if not isinstance(text, str):
        raise _Unreadable("invalid_id", f"{shown(text)} is not a request id.")
    try:
        request_id, row = parse_place(text)
    except InvalidRequest as error:
        raise _Unreadable("invalid_id", error.message) from None
    given = entry.get(ROW, row or 0)
    if not isinstance(given, int) or isinstance(given, bool):
        raise _Unreadable("invalid_row", f"row is the number of a row, not {shown(given)}.")
    if row not in (None, given):
        raise _Unreadable("invalid_row", f"{PLACE} names row {row}, and row is {given}.")
    return request_id, given

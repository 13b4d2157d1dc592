"""Reads rows that are to be looked at and not answered, perhaps with their true labels: JSON or CSV, as
they are or as a file of a form.

The body itself says which it is. This knows no HTTP and nothing of what is done with the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from endpoints.bodies import parse_json
from endpoints.csv_rows import by_line, read_labelled_csv
from endpoints.errors import InvalidRequest, InvalidRows
from endpoints.forms_with_files import read_form
from endpoints.rows import WRAPPERS, rows_of
from endpoints.services import error_detail
from endpoints.services.scoring import Row
from endpoints.services.snapshots import Chosen, Served
from mlcore.errors import SchemaError, cut, did_you_mean, listed, shown

Label = str | int | float | None
BESIDE = ("labels", "version")
"""What may stand beside the rows."""
BOM = b"\xef\xbb\xbf"
LARGEST_VERSION = 10**9


@dataclass(frozen=True)
class GivenTable:
    """Rows for a version, and a label for each (None where it is not known), or no labels at all.

    Of a file `lines` says where each row begins.
    """

    chosen: Chosen
    rows: Sequence[Row]
    labels: Sequence[Label] | None
    lines: Sequence[int] = ()

    def placed(self, error: InvalidRows) -> InvalidRows:
        """Return what is wrong with the rows as whoever sent them finds it: a file has lines."""
        if not self.lines:
            return error
        return by_line(error, self.lines, label=self.chosen.classifier.target)


def read_table(body: bytes, served: Served, version: int | None) -> GivenTable:
    """Return the rows for the version that the body or else the address names, or that answers.

    Raises InvalidJson, InvalidRequest, InvalidRows, TooLarge, NotFound or NoModel.
    """
    form = read_form(body, known=("file", "version"))
    if form is None:
        return _read(body, served, version)
    if "file" not in form:
        raise InvalidRequest("The form has no field “file”; send the CSV as that.")
    if not form["file"].strip():
        raise InvalidRequest("The file is empty.")
    given = form.get("version", b"").decode(errors="replace").strip()
    return _read(form["file"], served, _agreed(given, version) if given else version)


def _read(body: bytes, served: Served, version: int | None) -> GivenTable:
    body = body.removeprefix(BOM)
    if body.lstrip()[:1] in (b"{", b"[", b""):
        document = parse_json(body)
        chosen = served.choose(_version(document, version), None)
        rows, labels = _rows(document)
        return GivenTable(chosen, rows, labels)
    chosen = served.choose(version, None)
    classifier = chosen.classifier
    try:
        found = read_labelled_csv(
            body,
            classifier.schema,
            target=classifier.target,
            most_rows=settings.RAISIN_MAX_ROWS,
            classes=classifier.classes,
        )
    except SchemaError as error:
        raise error_detail.reduced(error, served.endpoint) from error
    return GivenTable(chosen, found.rows, found.labels, found.lines)


def _rows(document: Any) -> tuple[Sequence[Row], Sequence[Label] | None]:
    """Take the labels and the version away: what is left is a body of rows as for a prediction."""
    wrapper = _wrapper(document)
    if wrapper is None:
        return rows_of(document), None
    rows = rows_of({wrapper: document[wrapper]})
    labels = document.get("labels")
    return rows, None if labels is None else _labels(labels, len(rows))


def _wrapper(document: Any) -> str | None:
    """Return the key that holds the rows, None where the whole body is one row."""
    if not isinstance(document, dict):
        return None
    found = [key for key in WRAPPERS if isinstance(document.get(key), dict | list)]
    if not found:
        return None
    if len(found) > 1:
        raise InvalidRequest(f"The body has both {listed(found)}; send one of them.")
    known = (found[0], *BESIDE)
    for key in document:
        if key not in known:
            hint = did_you_mean(key, known) or "."
            raise InvalidRequest(
                f"“{cut(key)}” is not read here{hint} Known: {listed((*WRAPPERS, *BESIDE))}."
            )
    return found[0]


def _labels(given: Any, count: int) -> Sequence[Label]:
    if not isinstance(given, list):
        raise InvalidRequest(
            "“labels” is a list with the true label of each row, or null for none."
        )
    if len(given) != count:
        raise InvalidRequest(f"There are {len(given):,} labels for {count:,} rows.")
    for row, label in enumerate(given):
        if isinstance(label, bool) or not isinstance(label, str | int | float | None):
            raise InvalidRequest(
                f"Label {row} is a class's name or number, or null, not {shown(label)}."
            )
    return given


def _version(document: Any, addressed: int | None) -> int | None:
    """Return the version that the body asks for; where the address names one too, it is the same."""
    if _wrapper(document) is None or document.get("version") is None:
        return addressed
    return _agreed(document["version"], addressed)


def _agreed(given: Any, addressed: int | None) -> int:
    text = given.removeprefix("v") if isinstance(given, str) else given
    if isinstance(text, str) and text.isdecimal() and text.isascii():
        text = int(text[:10])
    if isinstance(text, bool) or not isinstance(text, int) or not 0 <= text < LARGEST_VERSION:
        raise InvalidRequest(f"“version” is a number such as 7 or v7, not {shown(given)}.")
    if addressed not in (None, text):
        raise InvalidRequest(f"The address asks for version {addressed}, the body for {text}.")
    return text

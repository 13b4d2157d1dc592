"""Reads a form with a file, `multipart/form-data` as curl and browsers send it (RFC 7578), from a body that is
in memory; it knows no HTTP and nothing of what is in the file.

The first line of such a body is its boundary, and the second says that it is a form: so no
Content-Type is needed to know one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from endpoints.errors import InvalidRequest
from mlcore.errors import cut, did_you_mean, listed

BEGIN = re.compile(rb"--([\x21-\x7e][\x20-\x7e]{0,199})\r\n(?i:content-[a-z-]+): ?(?=[^\r\n])")
NAME = re.compile(
    rb'^content-disposition:\s*form-data\b[^\r\n]*?;\s*name="([^"\r\n]*)"', re.I | re.M
)
MOST_PARTS = 10
DAMAGED = "The form cannot be read: it is cut off, or not multipart/form-data as browsers send it."


def read_form(body: bytes, *, known: Sequence[str]) -> dict[str, bytes] | None:
    """Return the fields by name, a file as its content; None for a body that is no form.

    Raises InvalidRequest for a damaged form, and for a field that is not known or sent twice.
    """
    begin = BEGIN.match(body)
    if begin is None:
        return None
    boundary = b"\r\n--" + begin[1]
    before, *parts = (b"\r\n" + body).split(boundary, MOST_PARTS)
    if before or not parts or not parts[-1].startswith(b"--"):
        raise InvalidRequest(DAMAGED)
    fields: dict[str, bytes] = {}
    for part in parts[:-1]:
        name, content = _field(part)
        _refuse_unknown(name, known)
        if name in fields:
            raise InvalidRequest(f"The field “{name}” is sent twice; send one file at a time.")
        fields[name] = content
    return fields


def _field(part: bytes) -> tuple[str, bytes]:
    head, blank, content = part.partition(b"\r\n\r\n")
    found = NAME.search(head)
    if not blank or found is None:
        raise InvalidRequest(DAMAGED)
    return found[1].decode(errors="replace"), content


def _refuse_unknown(name: str, known: Sequence[str]) -> None:
    if name not in known:
        hint = did_you_mean(name, known) or "."
        raise InvalidRequest(
            f"The field “{cut(name)}” is not read here{hint} Known: {listed(known)}."
        )

"""What one method of a route does, in words: views check their parameters by it, `manage.py openapi` prints it.

It knows no view; the schemas that it names are in `schemas`, which the serving process never loads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from endpoints.api.fields import Field

PAGED = ("cursor", "limit")
IDEMPOTENT = "Idempotency-Key"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of a route.

    `answers` gives the schema's name by status, "" for none; `body` the fields that are read, or the
    name of a schema; `parameters` the query parameters; `errors` the statuses beyond those that
    every route has.
    """

    summary: str
    needs: str
    answers: Mapping[int, str]
    parameters: Sequence[str] = ()
    headers: Sequence[str] = ()
    body: Sequence[Field] | str | None = None
    errors: Sequence[int] = ()
    about: str = ""


Operations = Mapping[str, Operation]

"""A text column that holds JSON: rows of numbers as they were answered, quick to write and to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from django.db import models

if TYPE_CHECKING:
    # What is packed is known to the row alone.
    _TextField = models.TextField[Any, Any]
else:
    _TextField = models.TextField


class PackedField(_TextField):
    """Floats keep every bit. Neither database looks inside, so it is read whole or not at all."""

    def from_db_value(self, value: str | None, *_: object) -> Any:
        return None if value is None else orjson.loads(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else orjson.dumps(value).decode()

    def to_python(self, value: Any) -> Any:
        return orjson.loads(value) if isinstance(value, str) else value

"""Version numbers as other protocols write them in addresses: "3", or "v3" as pages show it."""

from __future__ import annotations

from endpoints.errors import NotFound
from mlcore.errors import cut

_MOST_DIGITS = 9


def version_number(text: str | None) -> int | None:
    """Return the number, None for none given; raises NotFound for what cannot be a version."""
    if text is None:
        return None
    digits = text.removeprefix("v")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= _MOST_DIGITS):
        raise NotFound(f"There is no version “{cut(text)}”; versions are numbers, such as 3 or v3.")
    return int(digits)

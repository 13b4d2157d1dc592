"""Text from a file as every database keeps it: PostgreSQL has no NUL, which Parquet cells may hold."""

from __future__ import annotations

NUL = "\0"


def storable(text: str) -> str:
    """Return the text with a sign for each NUL."""
    return text.replace(NUL, "\N{REPLACEMENT CHARACTER}")

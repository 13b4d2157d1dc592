"""Which column of a file answers which feature of a schema, by name; it reads no rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

from mlcore.errors import cut, listed
from mlcore.schema import Schema

_MOST_COMPARED = 500  # names: looking for the nearest takes time


class Missing(NamedTuple):
    """A feature that no column answers, and the column that it may be, or ""."""

    name: str
    suggestion: str


@dataclass(frozen=True)
class Match:
    """`matched` are the columns by feature; `extra` columns are asked for by nobody."""

    matched: Mapping[str, str]
    missing: Sequence[Missing] = ()
    extra: Sequence[str] = ()


def match(schema: Schema, columns: Sequence[str], given: Mapping[str, str] | None = None) -> Match:
    """Take the column that `given` names for a feature, else the one of its name."""
    chosen = {name: (given or {}).get(name) or name for name in schema.names}
    known = set(columns)
    matched = {name: column for name, column in chosen.items() if column in known}
    extra = [name for name in columns if name not in set(matched.values())]
    missing = [
        Missing(name, _nearest(column, extra) or _nearest(name, extra))
        for name, column in chosen.items()
        if name not in matched
    ]
    return Match(matched, missing, extra)


def notes(matched: Mapping[str, str]) -> Iterator[str]:
    """One for each column that answers more than one feature."""
    answered: dict[str, list[str]] = {}
    for name, column in matched.items():
        answered.setdefault(column, []).append(f"“{name}”")
    for column, names in answered.items():
        if len(names) > 1:
            yield f"The column “{cut(column)}” is read for several features: {listed(names)}."


def _nearest(name: str, columns: Sequence[str]) -> str:
    """The column whose name differs least, spelling of words and letters aside."""
    folded = {_folded(column): column for column in columns[:_MOST_COMPARED] if column}
    near = get_close_matches(_folded(name), folded, n=1)
    return folded[near[0]] if near else ""


def _folded(name: str) -> str:
    return "".join(letter for letter in name.casefold()[:200] if letter.isalnum())

"""Whether a JSON document has the shape that a report's ``to_dict`` gives; knows no report by name."""

from __future__ import annotations

import types
from collections.abc import Collection, Iterator
from dataclasses import is_dataclass
from functools import cache
from itertools import chain
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

_MOST_INTEGER = 2**53
"""A larger whole number is no longer exact as a float, and a huge one is no float at all."""


def misfits(
    document: object, kind: Any, *, optional: Collection[str] = (), place: str = ""
) -> Iterator[str]:
    """The places where a document is not as the type says; ``optional`` members may be absent.

    Understood are dataclasses (objects), tuples and arrays (lists), unions, literals, texts,
    numbers, booleans and None.

    >>> from mlcore.thresholds import CurvePoint
    >>> point = {"threshold": 0.5, "precision": None, "recall": "x", "f1": 1, "cost": 0.0}
    >>> list(misfits(point, CurvePoint))
    ['recall', 'share_positive']
    """
    origin, inner = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        yield from _members(document, kind, optional, place)
    elif origin in (Union, types.UnionType):
        found = [list(misfits(document, one, optional=optional, place=place)) for one in inner]
        # Of several shapes the nearest is meant: the one that goes wrong furthest inside.
        yield from max(found, key=lambda places: (not places, *map(len, places[:1])))
    elif origin in (tuple, np.ndarray):
        yield from _items(document, kind, optional, place)
    elif not _is_plain(document, kind):
        yield place


def _members(document: object, kind: Any, optional: Collection[str], place: str) -> Iterator[str]:
    if not isinstance(document, dict):
        yield place
        return
    for name, expected in _hints(kind).items():
        there = f"{place}.{name}".lstrip(".")
        if name in document:
            yield from misfits(document[name], expected, optional=optional, place=there)
        elif name not in optional:
            yield there


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _items(document: object, kind: Any, optional: Collection[str], place: str) -> Iterator[str]:
    if not isinstance(document, list):
        yield place
        return
    item = get_args(kind)[0] if get_origin(kind) is tuple else None
    yield from chain.from_iterable(
        misfits(part, item, optional=optional, place=f"{place}[{number}]")
        if item
        else _numbers(part, f"{place}[{number}]")
        for number, part in enumerate(document)
    )


def _numbers(document: object, place: str) -> Iterator[str]:
    """An array's items: numbers, or lists of them."""
    parts = document if isinstance(document, list) else [document]
    if not all(_is_plain(part, float) for part in parts):
        yield place


def _is_plain(document: object, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return any(type(document) is type(one) and document == one for one in get_args(kind))
    if kind is float:
        return type(document) is float or _is_plain(document, int)
    if type(document) is int:
        return kind is int and abs(document) <= _MOST_INTEGER
    return type(document) is kind

"""Keeps out of the process what a library loads only because it happens to be installed.

The REST framework tries every package that it could work with, PostgreSQL's field types and what
developers install among them: 20 MiB that nothing here uses. It must know nothing of the product.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module

UNUSED_BY_REST = ("django.contrib.postgres.fields", "markdown", "pygments", "requests", "yaml")


def load_rest_framework() -> None:
    """Let it look for its options once while they cannot be found; later imports find them again."""
    with _hidden(UNUSED_BY_REST):
        import_module("rest_framework.compat")


@contextmanager
def _hidden(names: Iterable[str]) -> Iterator[None]:
    absent = [name for name in names if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]  # "there is no such module"
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]

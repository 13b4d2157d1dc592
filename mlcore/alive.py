"""What long work calls between its steps: it may note a sign of life, or raise to end the work."""

from __future__ import annotations

from collections.abc import Callable

Alive = Callable[[], object]


def nothing() -> None:
    """Nobody waits for a sign of life, or wishes to end the work."""

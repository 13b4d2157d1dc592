"""How much of a machine's processors background work takes."""

from __future__ import annotations

import os


def leave_room() -> None:
    """Leave the processor to a server on the same machine whenever it wants it, and one core at least.

    Polars reads its number of threads when it is imported first.
    """
    os.nice(10)
    os.environ.setdefault("POLARS_MAX_THREADS", str(max(1, (os.cpu_count() or 2) - 1)))

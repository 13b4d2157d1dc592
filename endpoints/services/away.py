"""Tells a database that is away for a while from one that refuses a statement; it asks none itself."""

from __future__ import annotations

import sqlite3

from django.db import InterfaceError, OperationalError

ERRORS = (OperationalError, InterfaceError)
"""What Django raises for both."""
_BUSY_CODES = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN)
_LOST_CLASSES = ("08", "57P")
"""Connections that failed, and a server that is shut down or starts."""
_PASSING_STATES = ("40001", "40P01", "53300", "55P03")
"""A transaction in the way of another, too many connections, a lock that others hold."""


def is_away(error: Exception) -> bool:
    """Whether the same is worth trying again later; a full disk or a wrong statement is not.

    PostgreSQL gives its refusals a state, and a connection that is lost has none.
    """
    cause = error.__cause__
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _BUSY_CODES
    state = getattr(cause, "sqlstate", None)
    return state is None or state.startswith(_LOST_CLASSES) or state in _PASSING_STATES

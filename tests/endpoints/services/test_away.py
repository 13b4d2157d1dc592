"""A database that is away is told from one that refuses a statement, by what each driver says."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg
import pytest
from django.db import InterfaceError, OperationalError
from psycopg import errors

from endpoints.services.away import is_away


def wrapped(cause: Exception) -> OperationalError:
    error = OperationalError(str(cause))
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        InterfaceError("connection already closed"),
        wrapped(psycopg.OperationalError("the server closed the connection unexpectedly")),
        wrapped(errors.AdminShutdown()),
        wrapped(errors.CannotConnectNow()),
        wrapped(errors.ConnectionFailure()),
        wrapped(errors.TooManyConnections()),
        wrapped(errors.DeadlockDetected()),
    ],
)
def test_it_is_away(error: Exception) -> None:
    assert is_away(error)


@pytest.mark.parametrize("cause", [errors.DiskFull(), errors.OutOfMemory(), errors.QueryCanceled()])
def test_it_refuses(cause: Exception) -> None:
    assert not is_away(wrapped(cause))


def test_a_file_that_others_hold_is_away(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a") as one, sqlite3.connect(tmp_path / "a", timeout=0) as two:
        one.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError) as held:
            two.execute("CREATE TABLE t (a)")
        one.rollback()
        with pytest.raises(sqlite3.OperationalError) as wrong:
            two.execute("SELECT nothing")
    assert is_away(wrapped(held.value))
    assert not is_away(wrapped(wrong.value))

"""SQLite with the request log in a file of its own, so that log and registry never lock each other out.

Every connection has the log attached, for reading: its tables are asked and joined like all others,
and a transaction on the registry takes no lock on the log. `open_log` gives the writer its connection.
DATABASES["default"]["LOG"] names the file, the pragmas of the writer, and whether all may write, as
tests do in transactions that are rolled back. It knows nothing of what the log holds.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.db.backends.sqlite3 import base

BUSY_SECONDS = 5.0
"""How long the writer waits for another writer before callers are told to come again."""


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        log = self.settings_dict["LOG"]
        _create(log)
        mode = "rw" if log.get("WRITABLE") else "ro"
        connection.execute("ATTACH DATABASE ? AS log", [_address(log["NAME"], mode)])
        return connection


def open_log(log: dict[str, Any], *, timeout: float = BUSY_SECONDS) -> sqlite3.Connection:
    """Return a connection in autocommit that has the log alone, attached for writing.

    Threads may share it, one at a time.
    """
    _create(log)
    connection = sqlite3.connect(
        ":memory:",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    connection.execute("ATTACH DATABASE ? AS log", [_address(log["NAME"], "rw")])
    for pragma in log["PRAGMAS"]:
        connection.execute(f"PRAGMA log.{pragma}")
    return connection


def _create(log: dict[str, Any]) -> None:
    """A file cannot be attached for reading before it is there."""
    if not Path(log["NAME"]).exists():
        connection = sqlite3.connect(log["NAME"])
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # only a new file takes it
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()


def _address(name: str, mode: str) -> str:
    return f"file:{quote(str(name))}?mode={mode}"

"""PostgreSQL for tests: whether a server answers at a URL (also by exit code), and a new database on it."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg import sql


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def fresh_database(server_url: str, *, like: str = "") -> Iterator[str]:
    """Make a database, yield its URL, and drop it whoever is still connected.

    It is empty, or a copy of the one at another URL, to which nobody may be connected.
    """
    name = f"raisin_live_{secrets.token_hex(8)}"
    # template1 would have to be free of other sessions, and several tests may run at once.
    template = urlsplit(like).path.removeprefix("/") or "template0"
    execute(server_url, "CREATE DATABASE {} TEMPLATE {}", name, template)
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        execute(server_url, "DROP DATABASE {} WITH (FORCE)", name)


def execute(server_url: str, statement: str, *databases: str) -> None:
    """Run it outside a transaction, as CREATE and DROP DATABASE must be."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, databases)))


if __name__ == "__main__":
    sys.exit(0 if answers(sys.argv[1]) else 1)

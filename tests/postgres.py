"""Says by its exit code whether a PostgreSQL server answers at the given URL."""

from __future__ import annotations

import sys

import psycopg


def answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(0 if answers(sys.argv[1]) else 1)

"""The state of the database against the code: empty, behind or up to date."""

from __future__ import annotations

from importlib import import_module

from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def is_empty() -> bool:
    return "django_migrations" not in connection.introspection.table_names()


def pending_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes())) or _log_is_lost()


def begin_lost_log() -> None:
    """Give SQLite's log its tables again where its file was lost; the registry's was not, so no
    migration does it."""
    if _log_is_lost():
        tables = import_module("endpoints.migrations.0003_request_log")
        tables.make_in_sqlite(connection.settings_dict["LOG"])


def _log_is_lost() -> bool:
    if connection.vendor != "sqlite" or is_empty():
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM log.sqlite_master")
        return not cursor.fetchone()[0]

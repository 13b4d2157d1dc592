"""The state of the database against the code: empty, behind or up to date."""

from __future__ import annotations

from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def is_empty() -> bool:
    return "django_migrations" not in connection.introspection.table_names()


def pending_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))

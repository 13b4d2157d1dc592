"""What the serving process must not load: it is small because this list is short."""

from __future__ import annotations

import os
import subprocess
import sys

from raisin_site import lean

LOAD = """
from raisin_site.wsgi import application
from django.urls import get_resolver
get_resolver().url_patterns
"""
TRAINING = {
    "endpoints.services.demo",
    "endpoints.services.forests",
    "endpoints.services.training",
    "mlcore.analysis",
    "mlcore.from_sklearn",
    "mlcore.solvers",
    "mlcore.training",
}
HEAVY = {"pandas", "polars", "sklearn", "numpy.ma", "numpy.random", "drf_spectacular", "jsonschema"}


def modules_after(statements: str) -> set[str]:
    """Import in a process of its own, as a server on SQLite does."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("DATABASE_")}
    code = f"{statements}\nimport sys; print(*sys.modules)"
    command = [sys.executable, "-W", "ignore", "-c", code]
    return set(subprocess.check_output(command, env=kept, text=True).split())


def test_it_works() -> None:
    """Pages, REST and admin are there, and neither training nor a library that nothing uses."""
    loaded = modules_after(LOAD)
    assert {"dashboard.urls", "endpoints.api.urls", "endpoints.admin"} <= loaded
    assert not loaded & {*TRAINING, *HEAVY, *lean.UNUSED_BY_REST, "psycopg"}


def test_the_parent_of_the_server_knows_no_application() -> None:
    loaded = modules_after("import raisin_site.server")
    assert not loaded & {"django", "numpy", "mlcore", "endpoints"}


def test_what_was_hidden_can_still_be_imported() -> None:
    loaded = modules_after("import django; django.setup(); import django.contrib.postgres.fields")
    assert {"rest_framework.compat", "django.contrib.postgres.fields"} <= loaded

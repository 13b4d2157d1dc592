"""`manage.py prepare`: what is missing of an installation is made, what is there stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.process


def manage(home: Path, command: str) -> dict[str, Any]:
    environment = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    done = subprocess.run(
        [sys.executable, "manage.py", command, "--json"],
        cwd=ROOT,
        env=environment
        | {"RAISIN_HOME": str(home), "DJANGO_SETTINGS_MODULE": "raisin_site.settings"},
        capture_output=True,
        text=True,
    )
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def test_a_lost_log_is_begun_again(tmp_path: Path) -> None:
    """Its file is not the registry's, whose migrations say that all tables are made."""
    assert manage(tmp_path, "prepare")["migrated"]
    for part in tmp_path.glob("raisin-log.sqlite3*"):
        part.unlink()
    assert not manage(tmp_path, "doctor")["healthy"]
    manage(tmp_path, "prepare")
    assert manage(tmp_path, "doctor")["healthy"]
    assert not manage(tmp_path, "prepare")["migrated"]

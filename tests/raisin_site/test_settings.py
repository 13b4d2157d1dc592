"""What the environment makes of the settings, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from raisin_site.server import THREADS

ROOT = Path(__file__).parents[2]


def settings_with(home: Path, name: str, **environment: str) -> Any:
    script = f"import json; from raisin_site import settings; print(json.dumps(settings.{name}))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | {"RAISIN_HOME": str(home)} | environment,
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


def test_the_log_has_a_connection_though_all_threads_wait_for_it(tmp_path: Path) -> None:
    databases = settings_with(tmp_path, "DATABASES", DATABASE_URL="postgres://nobody@nowhere/x")
    assert databases["default"]["OPTIONS"]["pool"]["max_size"] > THREADS

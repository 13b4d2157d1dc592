"""Runs a foreign client in an environment of its own, and reads back the one JSON object that it prints."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.live import ROOT

CLIENTS = ROOT / ".venv-clients"
MLSERVER = ROOT / ".venv-mlserver"
SCRIPTS = Path(__file__).resolve().parent / "scripts"
TIMEOUT = 180.0


def require(environment: Path) -> None:
    """Skip where the environment was not built; fail where nothing may be left out."""
    if (environment / ".installed").exists():
        return
    reason = f"{environment.name} is missing: run `make setup-clients`"
    if os.environ.get("RAISIN_TEST_STRICT"):
        pytest.fail(reason)
    pytest.skip(reason)


def run_script(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Give a script of the clients' environment its facts; return what it found."""
    require(CLIENTS)
    command = [CLIENTS / "bin" / "python", SCRIPTS / name]
    found = json.loads(run(command, sent=json.dumps(given).encode()))
    assert isinstance(found, dict)
    return found


def run(command: Sequence[str | Path], *, sent: bytes = b"") -> bytes:
    """Return the standard output; what a failed program says on standard error is in the failure."""
    done = subprocess.run(
        command, input=sent, capture_output=True, timeout=TIMEOUT, check=False, env=quiet()
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def quiet() -> dict[str, str]:
    """The environment without what would send a client through a proxy or home to its makers.

    Python may keep what it compiled there: these clients take three times as long to start without.
    """
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.lower().endswith("_proxy") and key != "PYTHONDONTWRITEBYTECODE"
    }
    return kept | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}

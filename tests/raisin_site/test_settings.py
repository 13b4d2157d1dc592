"""What the environment makes of the settings, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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


def test_no_mail_server_is_set_by_default(tmp_path: Path) -> None:
    assert settings_with(tmp_path, "EMAIL_HOST") == ""


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("smtp://mail.example.org", ("mail.example.org", 25, "", "", False, False)),
        (
            "smtp+tls://ana:a%40b@mail.example.org",
            ("mail.example.org", 587, "ana", "a@b", True, False),
        ),
        ("smtp+ssl://mail.example.org", ("mail.example.org", 465, "", "", False, True)),
        ("smtp+tls://mail.example.org:2525", ("mail.example.org", 2525, "", "", True, False)),
    ],
)
def test_one_url_sets_the_mail_server(tmp_path: Path, url: str, told: tuple[Any, ...]) -> None:
    names = ("HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "USE_TLS", "USE_SSL")
    ask = f"{{name: getattr(settings, 'EMAIL_' + name) for name in {names}}}"
    found = settings_with(tmp_path, f"RAISIN_HOME and {ask}", EMAIL_URL=url)
    assert tuple(found.values()) == told

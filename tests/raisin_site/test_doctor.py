"""`manage.py doctor`: each thing that can be wrong is found, with the way to mend it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from endpoints.models import Endpoint, Run
from endpoints.services import installation
from raisin_site import readiness
from raisin_site.management.commands import doctor
from raisin_site.management.commands.prepare import collect_static


@pytest.fixture
def well(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which nothing is wrong."""
    settings.RAISIN_HOME = tmp_path
    settings.STATIC_ROOT = tmp_path / "static"
    monkeypatch.setenv("RAISIN_SECRET_KEY", "from the environment")
    collect_static()
    return tmp_path


def examine(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    call_command("doctor", "--json")
    facts = json.loads(capsys.readouterr().out)
    assert isinstance(facts, dict)
    return facts


@pytest.mark.django_db
def test_it_works(well: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = examine(capsys)
    assert facts["healthy"]
    assert {found["verdict"] for found in facts["findings"]} == {"pass"}


@pytest.mark.django_db
def test_it_fails_where_something_must_be_mended(
    well: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (well / "static" / ".collected").write_text("of an older release")
    with pytest.raises(CommandError):
        call_command("doctor", "--json")
    facts = json.loads(capsys.readouterr().out)
    assert not facts["healthy"]
    (wrong,) = (found for found in facts["findings"] if found["verdict"] != "pass")
    assert (wrong["name"], wrong["verdict"]) == ("static files", "fail")
    assert "manage.py prepare" in wrong["message"]


@pytest.mark.django_db
def test_it_finds_a_database_behind_the_code(
    well: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(readiness, "_all_migrated", False)
    monkeypatch.setattr(installation, "pending_migrations", lambda: True)
    with pytest.raises(CommandError):
        call_command("doctor")
    assert "FAIL  migrations: The database is behind the code" in capsys.readouterr().out


def test_it_finds_a_home_that_cannot_be_written(tmp_path: Path, settings: Any) -> None:
    settings.RAISIN_HOME = tmp_path / "nowhere"
    assert doctor.home().verdict == "fail"


def test_it_finds_a_secret_key_that_others_can_read(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAISIN_SECRET_KEY", raising=False)
    settings.RAISIN_HOME = tmp_path
    key = tmp_path / "secret_key"
    key.write_text("x")
    key.chmod(0o644)
    assert doctor.secret().verdict == "warn"
    key.chmod(0o600)
    assert doctor.secret().verdict == "pass"


@pytest.mark.parametrize(
    ("name", "value"),
    [("ALLOWED_HOSTS", ["*"]), ("RAISIN_URL", "http://raisin.example.org")],
)
def test_it_warns_of_careless_hosts(name: str, value: object, settings: Any) -> None:
    setattr(settings, name, value)
    assert doctor.hosts().verdict == "warn"


def test_it_counts_runs_that_never_ended(raisin: Endpoint) -> None:
    Run.objects.update(state="running")
    found = doctor.unfinished_runs()
    assert (found.verdict, found.message.partition(" ")[0]) == ("warn", str(Run.objects.count()))

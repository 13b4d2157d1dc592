"""`manage.py register`: a file becomes a version, with what was found out about it; or an error in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from endpoints.models import AlgorithmVersion, Endpoint, Run
from endpoints.services import auto_promotion
from tests import cast
from tests.endpoints.services import handed_over

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(raisin: Endpoint, tmp_path: Path) -> Path:
    path = tmp_path / "model.zip"
    path.write_bytes(handed_over.bundle())
    return path


def registered(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    call_command("register", *arguments, "--json")
    facts = json.loads(capsys.readouterr().out)
    assert isinstance(facts, dict)
    return facts


def test_it_works(raisin: Endpoint, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = registered(capsys, str(file), "--endpoint", "raisin", "--note", "From the lab.")
    version = raisin.versions.get(number=3)
    assert (facts["endpoint"], facts["version"]) == ("raisin", 3)
    assert (facts["run_id"], facts["sha256"]) == (version.run_id, version.artifact_sha256)
    assert facts["url"].endswith("/endpoints/raisin/versions/3/")
    assert facts["schema"]["verdict"] == "pass"
    assert facts["evaluation"]["rows"] == 180
    assert (version.note, version.status) == ("From the lab.", "testing")


def test_it_says_the_result_to_a_person(
    raisin: Endpoint, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("register", str(file), "--endpoint", "raisin")
    said = capsys.readouterr().out
    assert "Registered as v3 of “raisin”, in testing" in said
    assert "on 180 holdout rows of v1" in said


def test_it_says_that_it_was_promoted_at_once(
    raisin: Endpoint, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    def promote(version: AlgorithmVersion, **_: Any) -> None:
        version.status = "production"

    monkeypatch.setattr(auto_promotion, "consider", promote)
    call_command("register", str(file), "--endpoint", "raisin")
    said = capsys.readouterr().out
    assert "in production" in said
    assert "It was promoted at once, as the endpoint asks for." in said


def test_it_makes_the_endpoint_only_where_asked(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CommandError, match="There is no endpoint “fresh”"):
        call_command("register", str(file), "--endpoint", "fresh")
    facts = registered(capsys, str(file), "--endpoint", "fresh", "--create", "--name", "Lab")
    assert (facts["version"], facts["evaluation"]) == (1, None)
    assert Run.objects.get(pk=facts["run_id"]).name == "Lab"
    call_command(
        "register", str(cast.folder_of(cast.trained_run()) / "model"), "--endpoint", "fresh"
    )
    assert "its numbers are its maker's claims" in capsys.readouterr().out


def test_a_refusal_makes_no_endpoint_either(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_bytes(b"no bundle")
    with pytest.raises(CommandError, match="This is no bundle"):
        call_command("register", str(file), "--endpoint", "fresh", "--create", "--json")
    assert json.loads(capsys.readouterr().out)["code"] == "invalid_bundle"
    assert not Endpoint.objects.filter(slug="fresh").exists()
    with pytest.raises(CommandError, match="is no usable slug"):
        call_command("register", str(file), "--endpoint", "not a slug", "--create")


def test_it_refuses_a_file_that_is_not_there(
    raisin: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CommandError, match="There is no file “nowhere.zip”"):
        call_command("register", str(tmp_path / "nowhere.zip"), "--endpoint", "raisin")

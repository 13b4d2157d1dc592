"""`manage.py export_run`: a run as a folder of plain files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from mlcore.tracking import read_run
from tests import cast

pytestmark = pytest.mark.django_db


def test_it_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = cast.trained_run()
    call_command("export_run", run.pk, str(tmp_path), "--json")
    facts = json.loads(capsys.readouterr().out)
    assert (facts["run_id"], facts["exported"]) == (run.pk, True)
    assert read_run(facts["path"]).model.sha256 == run.artifact_sha256
    call_command("export_run", run.pk, str(tmp_path), "--json")
    assert json.loads(capsys.readouterr().out) == facts | {"exported": False}


def test_it_says_the_result_to_a_person(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = cast.trained_run()
    for said in ("Written to ", "holds the same run already"):
        call_command("export_run", run.pk, str(tmp_path))
        assert said in capsys.readouterr().out


def test_it_refuses_an_unknown_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError, match="There is no run"):
        call_command("export_run", "nothing", str(tmp_path), "--json")
    assert json.loads(capsys.readouterr().out)["code"] == "not_found"

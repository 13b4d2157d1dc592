"""`manage.py score`: files of any size scored with a version, into a file or a folder of parts."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.core.management import CommandError, call_command

from endpoints.models import Endpoint
from endpoints.models.endpoint import MissingValues
from tests import cast

ROWS = 30


@pytest.fixture
def grains(tmp_path: Path) -> Path:
    frame = pl.DataFrame([{**cast.ROW, "note": f"grain {k}"} for k in range(ROWS)])
    frame.write_csv(tmp_path / "grains.csv")
    return tmp_path / "grains.csv"


def scored(endpoint: Endpoint, data: Path, out: Path, *options: str) -> dict[str, Any]:
    written = StringIO()
    arguments = ("--data", str(data), "--endpoint", endpoint.slug, "--out", str(out), *options)
    call_command("score", *arguments, "--json", stdout=written)
    facts = json.loads(written.getvalue())
    assert isinstance(facts, dict)
    return facts


def test_it_works(raisin: Endpoint, grains: Path, tmp_path: Path) -> None:
    facts = scored(raisin, grains, tmp_path / "scores.csv")
    assert (facts["rows"], facts["rows_without_answer"], facts["parts"]) == (ROWS, 0, 1)
    answers = pl.read_csv(tmp_path / "scores.csv")
    assert answers["note"].to_list() == [f"grain {k}" for k in range(ROWS)]
    production = raisin.versions.in_production().get()
    assert set(answers["version"]) == {production.number} == {facts["version"]}


def test_a_version_can_be_chosen(raisin: Endpoint, grains: Path, tmp_path: Path) -> None:
    number = raisin.versions.order_by("-number")[0].number
    facts = scored(raisin, grains, tmp_path / "scores.csv", "--version", str(number))
    assert facts["version"] == number


def test_called_again_it_finds_a_folder_done(
    raisin: Endpoint, grains: Path, tmp_path: Path
) -> None:
    first, second = (scored(raisin, grains, tmp_path / "scores") for _ in range(2))
    assert (first["parts_found_done"], second["parts_found_done"]) == (0, 1)
    assert second["rows"] == ROWS


def test_it_fills_missing_cells_only_where_the_endpoint_does(
    raisin: Endpoint, tmp_path: Path
) -> None:
    (tmp_path / "holes.csv").write_text(
        ",".join(cast.ROW) + "\n" + ",".join(["", *(str(v) for v in list(cast.ROW.values())[1:])])
    )
    raisin.missing_values = MissingValues.REFUSE
    raisin.save()
    facts = scored(raisin, tmp_path / "holes.csv", tmp_path / "scores.csv")
    assert facts["rows_without_answer"] == 1


def test_a_person_reads_what_was_done(raisin: Endpoint, grains: Path, tmp_path: Path) -> None:
    written = StringIO()
    options = {"data": [str(grains)], "endpoint": raisin.slug, "out": str(tmp_path / "scores")}
    for _ in range(2):
        call_command("score", **options, stdout=written)
    assert f"{ROWS} rows scored by v" in written.getvalue()
    assert "1 of 1 parts were there already" in written.getvalue()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--endpoint", "nowhere"), "nowhere"),
        (("--version", "99"), "has no version 99"),
        (("--engine", "blocks", "--scheduler", "tcp://x:1"), "belongs to the engine dask"),
        (("--data", "nothing-*.csv"), "there is no file nothing-"),
    ],
)
def test_it_refuses(
    raisin: Endpoint, grains: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        scored(raisin, grains, tmp_path / "scores", *options)

"""The words that mean "no value": the same in training and in serving, and all of them in the guide."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from django.conf import settings

from endpoints import csv_rows
from endpoints.services.datasets import blocks, profiling
from endpoints.services.tables.cells import RowReader
from mlcore.features import infer_columns, read_cells
from mlcore.schema import Column, Schema
from mlcore.table import MISSING
from mlcore.textformats import parse_csv
from tests.endpoints.services.tables.files import HEADER, plan_of

WORDS = sorted(MISSING)


@pytest.mark.parametrize("word", WORDS)
def test_they_are_the_same_everywhere(word: str, tmp_path: Path) -> None:
    table = parse_csv(f"a,y\n1,x\n{word},z\n".encode(), name="t")
    trained = read_cells(infer_columns(table, ["a"]), table).missing["a"].tolist()
    frame = pl.DataFrame({"a": ["1", word]})
    _, [profile] = profiling.profile(blocks.of_frame(frame), alive=lambda: None)
    schema = Schema((Column("a", "number"), Column("b", "number")))
    served = csv_rows.read_csv(f"a,b\n1,{word}\n".encode(), schema, most_rows=9)
    plan = plan_of(tmp_path, HEADER + f"1,{word},red\n".encode())
    assert trained == [False, True]
    assert (profile.missing, profile.distinct) == (1, 1)
    assert served == [[1.0, None]]
    assert RowReader(plan).read(f"1,{word},red").imputed == ("Extent",)


def test_a_class_of_that_name_is_a_label() -> None:
    schema = Schema((Column("a", "number"),))
    body = b"a,y\n1,NULL\n2,NA\n"
    known = csv_rows.read_labelled_csv(
        body, schema, target="y", most_rows=9, classes=("NULL", "low")
    )
    assert known.labels == ["NULL", None]


def test_the_guide_names_them() -> None:
    guide = (Path(settings.BASE_DIR) / "docs" / "guide.md").read_text()
    told = guide[guide.index("A cell is missing if it is empty") :].partition("Where a model")[0]
    assert {*re.findall("`([^`]+)`", told)} | {""} == MISSING

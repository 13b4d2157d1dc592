"""A file as blocks of rows: all of its rows, each once, whatever the size of a block."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoints.services.datasets import blocks

CELLS = st.text(st.sampled_from('ab1,"\né '), max_size=6)

BLANK = st.sampled_from(["\n", "\r\n", "  \n"])
ROWS = st.lists(st.one_of(st.tuples(CELLS, CELLS), BLANK), min_size=1, max_size=30)


def written(line: tuple[str, str] | str) -> str:
    if isinstance(line, str):
        return line
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(line)
    return text.getvalue()


def rows_of(found: blocks.Blocks) -> list[tuple[str | None, ...]]:
    return [row for block in found for row in block.rows()]


@settings(max_examples=100, deadline=None)
@given(ROWS, st.integers(1, 200))
def test_blocks_together_are_the_rows_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str] | str], size: int
) -> None:
    rows = [line for line in lines if isinstance(line, tuple)]
    file = tmp_path_factory.getbasetemp() / "blocks.csv"
    file.write_bytes("".join(["x,y\n", *map(written, lines)]).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "CSV_BYTES", size)
        found = blocks.of_csv(file, start=4, delimiter=",", columns=("x", "y"))
        assert rows_of(found) == rows
        assert rows_of(found) == rows


def test_rows_of_another_length_are_brought_to_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"x;y\n1\n2;3;4\n5;6")
    found = blocks.of_csv(tmp_path / "a.csv", start=4, delimiter=";", columns=("x", "y"))
    assert rows_of(found) == [("1", None), ("2", "3"), ("5", "6")]


@pytest.mark.parametrize(
    ("delimiter", "text", "rows"),
    [
        (",", "1,2\n\n", [("1", "2")]),
        (",", "\n1,2\n,\n \t\n\r\n,3", [("1", "2"), (None, None), (None, "3")]),
        (",", '1,"2\n\n"\n\n', [("1", "2\n\n")]),
        (",", '1,2"\n\n3,4\n', [("1", '2"'), ("3", "4")]),
        ("\t", "1\t2\n\t\n  \n", [("1", "2"), (None, None)]),
    ],
)
def test_a_blank_line_is_no_row_but_a_row_of_empty_cells_is(
    tmp_path: Path, delimiter: str, text: str, rows: list[tuple[str | None, ...]]
) -> None:
    (tmp_path / "a.csv").write_text(f"x{delimiter}y\n{text}", newline="")
    found = blocks.of_csv(tmp_path / "a.csv", start=4, delimiter=delimiter, columns=("x", "y"))
    assert rows_of(found) == rows


def test_a_quote_that_is_never_closed_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "CSV_BYTES", 100)
    monkeypatch.setattr(blocks, "MOST_ROW_BYTES", 100)
    (tmp_path / "a.csv").write_bytes(b'x,y\n5" pipe,1\n' + b"2,3\n" * 1_000)
    found = blocks.of_csv(tmp_path / "a.csv", start=4, delimiter=",", columns=("x", "y"))
    heights = [block.height for block in found]
    assert sum(heights) == 1_001
    assert max(heights) < 90


def test_parquet_by_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "CELLS", 20)
    frame = pl.DataFrame({"x": range(25), "lists": [[i] for i in range(25)]})
    frame.write_parquet(tmp_path / "a.parquet")
    found = list(blocks.of_parquet(tmp_path / "a.parquet"))
    assert [block.height for block in found] == [10, 10, 5]
    assert [number for block in found for number in block["x"]] == list(range(25))
    assert all(block["lists"].dtype.is_nested() for block in found)

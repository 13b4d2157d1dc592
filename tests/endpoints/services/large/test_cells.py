"""A piece as numbers and texts: cell by cell what a training in memory reads in the same file."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoints.services.large.cells import PieceReader, RaggedPiece, problem
from endpoints.services.large.pieces import divide
from endpoints.services.large.places import find
from mlcore.errors import DataError
from mlcore.table import MISSING, parse_number


def reader_of(path: Path, content: bytes) -> PieceReader:
    path.write_bytes(content)
    (piece,) = divide(find([path])).pieces
    return PieceReader(piece)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cells") / "data.csv"


WRITTEN = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.integers(-(10**20), 10**20).map(str),
    st.sampled_from(sorted(MISSING)),
    st.sampled_from(
        [" 1.5 ", "+1", ".5", "5.", "1e400", "-inf", "1_000", "0x1", "12,5", "x", "NAN"]
    ),
    st.text(st.characters(codec="utf-8", exclude_characters='",\r\n\0'), max_size=6),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(WRITTEN, min_size=1, max_size=20))
def test_a_cell_means_what_it_means_in_memory(place: Path, cells: list[str]) -> None:
    lines = "".join(f'"{cell}",end\n' for cell in cells)
    reader = reader_of(place, f"x,last\n{lines}".encode())
    found = reader.numbers(["x"])["x"]
    trimmed = [cell.strip() for cell in cells]
    assert found.missing.tolist() == [cell in MISSING for cell in trimmed]
    for value, cell in zip(found.values.tolist(), trimmed, strict=True):
        number = None if cell in MISSING else parse_number(cell)
        assert value == number or (math.isnan(value) and number is None)
    words = [cell not in MISSING and parse_number(cell) is None for cell in trimmed]
    assert found.n_words == sum(words)
    texts = reader.texts(["x"])["x"].to_list()
    assert texts == [None if cell in MISSING else cell for cell in trimmed]


def test_clean_columns_are_read_as_they_are(place: Path) -> None:
    found = reader_of(place, b"x,y\n1,2\n-3.5,4\n").numbers(["y", "x"])
    assert found["x"].values.tolist() == [1.0, -3.5]
    assert found["y"].values.tolist() == [2.0, 4.0]
    assert found["x"].odd == ()


def test_odd_cells_are_named_by_row(place: Path) -> None:
    found = reader_of(place, b"x,y\n1,2\nfar,4\n1e200,5\n,6\n").numbers(["x"])["x"]
    assert found.odd == ((1, "far"), (2, "1e200"))
    assert [problem(cell) for _, cell in found.odd] == [
        ("wrong_type", "expected a number, got 'far'"),
        ("not_finite", "expected a finite number up to 1e150 in size, got '1e200'"),
    ]


def test_a_missing_last_cell_is_no_short_row(place: Path) -> None:
    found = reader_of(place, b"x,y\n1,\n2,5\n").numbers(["x", "y"])
    assert found["x"].values.tolist() == [1.0, 2.0]
    assert found["y"].missing.tolist() == [True, False]


@pytest.mark.parametrize("rows", [b"1,2\n3\n4,5\n", b"1,2\n3,4,5\n4,5\n"])
def test_a_ragged_row_is_refused(place: Path, rows: bytes) -> None:
    with pytest.raises(RaggedPiece, match="cells, but the header has 2") as caught:
        reader_of(place, b"x,y\n" + rows).numbers(["x"])
    assert [cell.row for cell in caught.value.cells] == [1]


@pytest.mark.parametrize(
    "rows",
    [
        b"b,2,3\na,1,5,2\n",
        b"b,2,3\r\na,1,5,2",
        b"b,2,\na,1,5,\nc,4,5\n",
        b"b,2,3\na,1,5,2\nc,4\n\n",
        b'b,2,3\n"a",1,5,2\n',
        b"b,2,3\na,1,5,",
        b'b,2,3\n"a",1,5,',
        b'b,2,3\n"a,1",5,7,2\n"c\nd",1,2\n',
    ],
)
@pytest.mark.parametrize("names", [["y"], ["x"], ["x", "z"], ["z", "x", "y"]])
def test_a_row_that_goes_on_behind_the_columns_is_refused(
    place: Path, names: list[str], rows: bytes
) -> None:
    for read in (PieceReader.texts, PieceReader.numbers):
        with pytest.raises(RaggedPiece, match="4 cells, but the header has 3") as caught:
            read(reader_of(place, b"y,x,z\n" + rows), names)
        assert caught.value.cells[0].row == 1


@pytest.mark.parametrize(
    "rows",
    [
        b"a,1,2\nb,3,4\n",
        b"a,1,2\r\nb,3,4\r\n",
        b"a,1,2\nb,3,4",
        b"\na,1,2\n\n\nb,3,4\n\n",
        b'"a",1,2\n"b",3,"4"',
        b'"a",1,2\r\n\r\nb,"3",4\r\n',
    ],
)
def test_left_out_columns_change_nothing(place: Path, rows: bytes) -> None:
    reader = reader_of(place, b"y,x,z\n" + rows)
    assert reader.texts(["y"])["y"].to_list() == ["a", "b"]
    assert reader.numbers(["x"])["x"].values.tolist() == [1.0, 3.0]
    assert reader.numbers(["z"])["z"].values.tolist() == [2.0, 4.0]


def test_delimiters_within_quotes_are_no_cells_too_many(place: Path) -> None:
    reader = reader_of(place, b'y,x,z\n"a,b",1,2\n"c,,d",3,4\n')
    assert reader.texts(["y"])["y"].to_list() == ["a,b", "c,,d"]
    assert reader.numbers(["x"])["x"].values.tolist() == [1.0, 3.0]


@pytest.mark.parametrize("rows", [b"\n1,2\n\n\n3,4\n\n", b"\r\n1,2\r\n \r\n3,4"])
def test_blank_lines_are_no_rows(place: Path, rows: bytes) -> None:
    reader = reader_of(place, b"x,y\n1,9\n" + rows)
    assert reader.numbers(["x"])["x"].values.tolist() == [1.0, 1.0, 3.0]


@pytest.mark.parametrize(("cell", "fault"), [(b"\xff", "is not UTF-8"), (b"a\0b", "NUL byte")])
def test_it_refuses_what_is_no_text(place: Path, cell: bytes, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        reader_of(place, b"x,y\n" + b"1,2\n" * 2000 + cell + b",3\n").numbers(["x"])


def test_parquet_cells_are_read_by_their_kind(tmp_path: Path) -> None:
    from datetime import date

    frame = pl.DataFrame(
        {
            "number": [1, None, 3],
            "float": [0.5, math.nan, None],
            "text": ["2.5", "NA", "many"],
            "day": [date(2026, 1, 2)] * 3,
        }
    )
    frame.write_parquet(tmp_path / "a.parquet")
    (piece,) = divide(find([tmp_path])).pieces
    found = PieceReader(piece).numbers(frame.columns)
    assert found["number"].missing.tolist() == [False, True, False]
    assert found["float"].missing.tolist() == [False, True, True]
    assert found["text"].values[0] == 2.5
    assert found["text"].odd == ((2, "many"),)
    assert found["day"].n_words == 3


def test_parquet_cells_that_are_no_numbers_are_texts(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "flag": [True, None, False],
            "code": pl.Series(["7", "NA", "p"], dtype=pl.Categorical),
            "step": pl.Series(["low", None, "high"], dtype=pl.Enum(["low", "high"])),
        }
    )
    frame.write_parquet(tmp_path / "a.parquet")
    (piece,) = divide(find([tmp_path])).pieces
    reader = PieceReader(piece)
    found = reader.numbers(frame.columns)
    assert {name: column.n_words for name, column in found.items()} == {
        "flag": 2,
        "code": 1,
        "step": 2,
    }
    assert found["code"].values[0] == 7
    texts = {name: cells.to_list() for name, cells in reader.texts(frame.columns).items()}
    assert texts == {
        "flag": ["true", None, "false"],
        "code": ["7", None, "p"],
        "step": ["low", None, "high"],
    }

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore import DataError, read_csv
from mlcore.textformats import parse_csv


def problems_of(data: bytes) -> list[tuple[int | None, str | None]]:
    with pytest.raises(DataError) as caught:
        parse_csv(data, name="t.csv")
    return [(cell.row, cell.column) for cell in caught.value.cells]


def test_it_works(tmp_path: Path) -> None:
    path = tmp_path / "grains.csv"
    path.write_bytes(b"Area,Class\n 1.50 ,Besni\n2,Kecimen\n")
    table = read_csv(path)
    assert table.header == ("Area", "Class")
    assert table.rows == ((" 1.50 ", "Besni"), ("2", "Kecimen"))
    assert table.lines == (2, 3)
    assert table.name == "grains.csv"
    assert table.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not table.synthetic
    assert read_csv(path, name="other").name == "other"


@pytest.mark.parametrize(
    "data",
    [
        b"a;b\n1;2\n3;4\n",
        b"a;b\n1,5;2,5\n3,5;4,5\n",
        b"a\tb\n1\t2\n3\t4\n",
        b"a|b\n1|2\n3|4\n",
        b"\xef\xbb\xbfa,b\r\n1,2\r\n3,4\r\n",
        b"a,b\r1,2\r3,4\r",
        b"\n\na,b\n1,2\n\n   \n3,4",
        b'"a","b"\n"1","2"\n"3","4"\n',
    ],
    ids=["semicolon", "decimal comma", "tab", "bar", "bom crlf", "cr", "blank lines", "quoted"],
)
def test_it_reads_every_usual_dialect(data: bytes) -> None:
    table = parse_csv(data, name="t.csv")
    assert table.header == ("a", "b")
    assert len(table.rows) == 2
    assert {len(row) for row in table.rows} == {2}


@pytest.mark.parametrize("first", [b"sep=;\n", b'"sep=;"\r\n', b"\xef\xbb\xbfSEP=;\r\n"])
def test_a_first_line_may_name_the_delimiter(first: bytes) -> None:
    """Excel writes it, and one that the rows would not tell may stand in it."""
    table = parse_csv(first + b"a,b;c\n1,5;2\n\n3,5;4\n", name="t.csv")
    assert table.header == ("a,b", "c")
    assert table.rows == (("1,5", "2"), ("3,5", "4"))
    assert table.lines == (3, 5)


def test_blank_lines_may_stand_behind_the_delimiter() -> None:
    table = parse_csv(b"sep=;\r\n\r\n\na;b\n1;2\n", name="t.csv")
    assert (table.header, table.rows, table.lines) == (("a", "b"), (("1", "2"),), (5,))
    for alone in (b"sep=;", b"sep=;\n\n"):
        with pytest.raises(DataError, match=r"t\.csv is empty"):
            parse_csv(alone, name="t.csv")


def test_a_column_may_be_called_sep() -> None:
    assert parse_csv(b"sep=,b\n1,2\n", name="t").header == ("sep=", "b")


def test_it_reads_a_single_column() -> None:
    assert parse_csv(b"a\n1\n\n2\n", name="t").rows == (("1",), ("2",))


def test_it_keeps_rows_of_empty_cells() -> None:
    assert parse_csv(b"a,b\n,\n1,2\n", name="t").rows == (("", ""), ("1", "2"))


def test_it_counts_physical_lines() -> None:
    data = b'a,b\n"one\ntwo",1\n\n"three\r\nfour\r\nfive",2\n6,3\n'
    table = parse_csv(data, name="t")
    assert table.lines == (2, 5, 8)
    assert table.rows[0][0] == "one\ntwo"


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"a,b\n1,2\n1\n", (3, None)),
        (b"a,b\n1,2,3\n", (2, None)),
        (b'a,b\n"x\ny",2\n1\n', (4, None)),
        (b"a,b\n1,\xff\n", (2, "b")),
        (b"a,b\n1,x\0y\n", (2, "b")),
        (b"a,a\n1,2\n", (1, None)),
        (b"\na, \n1,2\n", (2, None)),
        (b"a,\xff\n1,2\n", (1, None)),
        (b'a,b\n1,"open\n', (2, None)),
        (b"a,b\n1," + b"x" * 200_000 + b"\n", (2, None)),
        ("a,b\n1,2\n".encode("utf-16"), (1, None)),
    ],
    ids=[
        "short row",
        "long row",
        "short row after a quoted newline",
        "undecodable",
        "nul",
        "duplicate header",
        "empty header",
        "undecodable header",
        "open quote",
        "huge field",
        "utf-16",
    ],
)
def test_it_refuses_and_names_the_place(data: bytes, place: tuple[int, str | None]) -> None:
    assert problems_of(data) == [place]


@pytest.mark.parametrize("data", [b"", b"\n \n", b"\xef\xbb\xbf", b"a,b\n", b"a,b\n\n"])
def test_it_refuses_a_table_without_rows(data: bytes) -> None:
    assert problems_of(data) == []


def test_it_names_the_first_20_bad_lines_at_once() -> None:
    data = b"a,b\n" + b"1,2\nbad\n" * 50
    assert problems_of(data) == [(line, None) for line in range(3, 43, 2)]


def test_it_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        read_csv(tmp_path / "none.csv")


@given(st.binary(max_size=200) | st.text('ab,;"\n\r\t| ', max_size=60).map(str.encode))
def test_it_raises_nothing_but_data_errors(data: bytes) -> None:
    try:
        table = parse_csv(data, name="soup")
    except DataError as error:
        str(error).encode()
    else:
        assert len(table.rows) == len(table.lines) > 0
        assert all(len(row) == len(table.header) for row in table.rows)
        assert list(table.lines) == sorted(set(table.lines))

"""Files in pieces: cut at the ends of records, whatever the size, and read as a whole would be."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoints.services.large.cells import PieceReader
from endpoints.services.large.pieces import Layout, divide
from endpoints.services.large.places import find, read
from endpoints.services.tables.records import MOST_ROW_BYTES
from mlcore.errors import DataError
from mlcore.textformats import parse_csv

CELLS = st.text(st.sampled_from('ab1,;"\n\ré '), max_size=8)


def layout_of(path: Path, content: bytes, piece_bytes: int = 64) -> Layout:
    path.write_bytes(content)
    return divide(find([path]), piece_bytes=piece_bytes)


def records(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pieces") / "data.csv"


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=30), st.integers(1, 400))
def test_pieces_together_are_the_records_of_the_file(
    place: Path, rows: list[tuple[str, str]], piece_bytes: int
) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("first", "second"), *rows])
    layout = layout_of(place, text.getvalue().encode(), piece_bytes)
    found = [
        record
        for piece in layout.pieces
        for record in records(read(piece.url, piece.start, piece.stop))
    ]
    assert [record for record in found if record] == [list(row) for row in rows]


def test_it_cuts_at_lines_near_the_size(tmp_path: Path) -> None:
    layout = layout_of(tmp_path / "a.csv", b"x,y\n" + b"12,34\n" * 100, piece_bytes=100)
    sizes = [piece.stop - piece.start for piece in layout.pieces]
    assert sum(sizes) == 600
    assert all(size % 6 == 0 and 90 <= size <= 110 for size in sizes[1:-1])


def test_a_quoted_cell_longer_than_pieces_stays_in_one(tmp_path: Path) -> None:
    content = b'x,y\n1,"' + b"line\n" * 100 + b'"\n2,b\n'
    layout = layout_of(tmp_path / "a.csv", content, piece_bytes=50)
    assert len(layout.pieces) <= 2
    assert layout.pieces[0].stop >= content.index(b'"\n2')


LINE = b"1,23456789\n"
LONG = LINE * (MOST_ROW_BYTES // len(LINE) + 1)
STEP = 2**18


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'1,5" pipe\n' + LONG + b'1,5" pipe\n' + LONG, 2),
        (LINE * 9 + b'1,"a\nb"\n1,5" pipe\n' + LONG + LINE * 9, 13),
        (LONG + b'1,"5"" pipe\n' + LONG + b'1,"2"\n', 2 + LONG.count(b"\n")),
    ],
)
@pytest.mark.parametrize("piece_bytes", [STEP, 2**24])
def test_a_quote_that_stays_open_is_refused_by_its_line(
    tmp_path: Path, content: bytes, line: int, piece_bytes: int
) -> None:
    with pytest.raises(DataError, match=rf"a\.csv, line {line}: a quotation mark"):
        layout_of(tmp_path / "a.csv", b"x,y\n" + content, piece_bytes)


@pytest.mark.parametrize("piece_bytes", [STEP, 2**24])
def test_a_line_without_an_end_is_refused(tmp_path: Path, piece_bytes: int) -> None:
    content = b"x,y\n1,2\n1," + b"2" * MOST_ROW_BYTES
    with pytest.raises(DataError, match=r"a\.csv, line 3 is longer than 1 MiB: this is no table"):
        layout_of(tmp_path / "a.csv", content, piece_bytes)


def test_two_stray_quotes_near_each_other_are_text(tmp_path: Path) -> None:
    content = b"x,y\n" + LINE * 50 + b'1,5" pipe\n' + LINE * 9 + b'1,2" pipe\n' + LINE * 50
    layout = layout_of(tmp_path / "a.csv", content, piece_bytes=100)
    found = [
        record
        for piece in layout.pieces
        for record in records(read(piece.url, piece.start, piece.stop))
    ]
    assert len(found) == 111
    assert [record for record in found if "pipe" in record[1]] == [
        ["1", '5" pipe'],
        ["1", '2" pipe'],
    ]


def test_a_quoted_cell_may_be_as_long_as_a_row_may_be(tmp_path: Path) -> None:
    row = b'1,"' + b"line\n" * ((MOST_ROW_BYTES - 8) // 5) + b'"\n'
    layout = layout_of(tmp_path / "a.csv", b"x,y\n" + row * 3 + LINE * 9, STEP)
    assert layout.pieces[-1].stop == 4 + 3 * len(row) + 9 * len(LINE)
    assert max(piece.stop - piece.start for piece in layout.pieces) <= STEP + MOST_ROW_BYTES


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=40), st.integers(1, 400))
def test_no_piece_is_longer_than_the_size_and_a_row(
    place: Path, lengths: list[int], piece_bytes: int
) -> None:
    rows = [b'1,"' + b"a\n" * length + b'"\n' for length in lengths]
    layout = layout_of(place, b"x,y\n" + b"".join(rows), piece_bytes)
    longest = max(map(len, rows)) + len(b"x,y\n")
    assert all(piece.stop - piece.start <= piece_bytes + longest for piece in layout.pieces)


def test_it_reads_delimiter_byte_order_mark_and_blank_lines(tmp_path: Path) -> None:
    layout = layout_of(tmp_path / "a.csv", b"\xef\xbb\xbf\r\nx; y\r\n1;2\r\n")
    (piece,) = layout.pieces
    assert (piece.header, piece.delimiter) == (("x", "y"), ";")
    assert read(piece.url, piece.start, piece.stop) == b"1;2\r\n"


def test_the_delimiter_is_found_as_in_a_file_in_memory(tmp_path: Path) -> None:
    content = b"a,b,c;d\n1,5;2\n3,5;4\n"
    (piece,) = layout_of(tmp_path / "a.csv", content).pieces
    assert (piece.delimiter, piece.header) == (";", ("a,b,c", "d"))
    assert parse_csv(content, name="a").header == piece.header


def test_a_first_line_may_name_the_delimiter(tmp_path: Path) -> None:
    layout = layout_of(tmp_path / "a.csv", b"\xef\xbb\xbfsep=|\r\nx|y,z,u\r\n1|2,3\r\n")
    (piece,) = layout.pieces
    assert (piece.header, piece.delimiter) == (("x", "y,z,u"), "|")
    assert read(piece.url, piece.start, piece.stop) == b"1|2,3\r\n"


def test_blank_lines_may_stand_behind_the_delimiter(tmp_path: Path) -> None:
    (piece,) = layout_of(tmp_path / "a.csv", b"sep=;\n\nx;y\n1;2\n").pieces
    assert (piece.header, piece.delimiter) == (("x", "y"), ";")
    assert read(piece.url, piece.start, piece.stop) == b"1;2\n"


def test_the_checksum_tells_other_content(tmp_path: Path) -> None:
    one = layout_of(tmp_path / "a.csv", b"x,y\n1,2\n").sha256
    assert layout_of(tmp_path / "b.csv", b"x,y\n1,2\n").sha256 == one
    assert layout_of(tmp_path / "b.csv", b"x,y\n1,3\n").sha256 != one


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "bad.csv is empty"),
        (b"\n\n", "bad.csv is empty"),
        (b"x,y\n", "has a header but no rows"),
        (b"x,x\n1,2\n", "names a column twice: x"),
        (b'x,y\n1,2\n1,"2\n3,4\n', "bad.csv, line 3 opens a quote that is never closed"),
        (b'x,5" y\n1,a\n2,b"c\n3,d\n', "header of bad.csv has a quotation mark"),
        (b"x,y\r1,2\r3,4\r", "header of bad.csv is not readable as CSV"),
        (b"x," * 2**19 + b"y\n1,2\n", "header of bad.csv does not end within 1 MiB"),
        (b"\x1f\x8b\x08\x00", "is a gzip file under another name"),
        (b"PAR1....", "is a Parquet file under another name"),
        ("x,y\n1,2\n".encode("utf-16"), "is not UTF-8 text"),
        (b"x,\xff\n1,2\n", "the header of bad.csv is not UTF-8"),
    ],
)
def test_it_refuses(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        layout_of(tmp_path / "bad.csv", content)


def test_it_refuses_files_of_other_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("x,z\n1,2\n")
    with pytest.raises(DataError, match=r"b\.csv has other columns than a\.csv: x, z instead of"):
        divide(find([tmp_path]))


def test_it_finds_files_by_folder_and_pattern_once(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "notes.md"):
        (tmp_path / name).write_text("x\n1\n")
    found = find([tmp_path / "a.csv", tmp_path, f"{tmp_path}/*.csv"])
    assert [source.name for source in found] == ["a.csv", "b.csv"]


def test_a_link_goes_by_its_own_name(tmp_path: Path) -> None:
    pl.DataFrame({"x": [1, 2]}).write_parquet(tmp_path / "blob")
    link = tmp_path / "data.parquet"
    link.symlink_to(tmp_path / "blob")
    (source,) = find([link])
    assert (source.name, source.format) == ("data.parquet", "parquet")
    assert divide([source]).header == ("x",)


def test_links_to_one_file_are_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "b.csv").symlink_to(tmp_path / "a.csv")
    assert [source.name for source in find([tmp_path / "b.csv", tmp_path])] == ["b.csv"]


def test_a_path_may_be_given_as_an_address(tmp_path: Path) -> None:
    pl.DataFrame({"x": range(10)}).write_parquet(tmp_path / "a.parquet")
    for address in (f"file://{tmp_path}/a.parquet", f"file://{tmp_path}", f"file://{tmp_path}/*"):
        (source,) = find([address])
        assert source.url == f"file://{tmp_path}/a.parquet"
        first, last = divide([source], piece_rows=6).pieces
        assert PieceReader(last).numbers(["x"])["x"].values.tolist() == [6, 7, 8, 9]
        assert first.name == "a.parquet"


def test_a_cache_before_an_address_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    (source,) = find([f"simplecache::file://{tmp_path}/*.csv"])
    assert source.url == f"simplecache::file://{tmp_path}/a.csv"
    assert read(source.url, 0, 2) == b"x\n"


@pytest.mark.parametrize("pattern", ["nowhere.csv", "*.csv", "."])
def test_it_refuses_a_pattern_that_names_nothing(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(DataError, match="there is no file"):
        find([tmp_path / pattern])


def test_it_refuses_what_cannot_be_divided(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(DataError, match="cannot be divided"):
        find([tmp_path / "a.csv.gz"])
    (tmp_path / "a.csv").write_text("x\n1\n")
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match="cannot be mixed"):
        find([tmp_path / "a.csv", tmp_path / "b.parquet"])


@pytest.mark.parametrize("name", ["b.csv.gz", "B.CSV.GZ"])
def test_it_refuses_what_cannot_be_divided_in_a_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "notes.tar.gz").write_bytes(b"\x1f\x8b")
    assert [source.name for source in find([tmp_path])] == ["a.csv"]
    (tmp_path / name).write_bytes(b"\x1f\x8b")
    for folder in (str(tmp_path), f"file://{tmp_path}"):
        with pytest.raises(DataError, match=rf"{name} is packed, and cannot be divided"):
            find([folder])


def test_parquet_is_cut_by_rows(tmp_path: Path) -> None:
    pl.DataFrame({"x": range(10), "y": range(10)}).write_parquet(tmp_path / "a.parquet")
    layout = divide(find([tmp_path]), piece_rows=4)
    assert [(piece.start, piece.stop) for piece in layout.pieces] == [(0, 4), (4, 8), (8, 10)]
    assert layout.header == ("x", "y")


@pytest.fixture(params=["disk", "address"])
def bracketed(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A file whose name is a pattern that fits the name of another."""
    import fsspec

    place = str(tmp_path) if request.param == "disk" else "memory://raisin-brackets"
    for name, rows in (("d [1].parquet", [1, 2]), ("d 1.parquet", [7, 8, 9])):
        content = io.BytesIO()
        pl.DataFrame({"x": rows}).write_parquet(content)
        with fsspec.open(f"{place}/{name}", "wb") as file:
            file.write(content.getvalue())
    return f"{place}/d [1].parquet"


def test_a_name_with_brackets_is_no_pattern(bracketed: str) -> None:
    (source,) = find([bracketed])
    assert source.name == "d [1].parquet"
    (piece,) = divide([source]).pieces
    assert (piece.start, piece.stop) == (0, 2)
    assert PieceReader(piece).numbers(["x"])["x"].values.tolist() == [1.0, 2.0]


def test_files_behind_an_address_are_found_and_read() -> None:
    import fsspec

    system = fsspec.filesystem("memory")
    system.pipe("/raisin-pieces/a.csv", b"x,y\n1,2\n3,4\n")
    layout = divide(find(["memory://raisin-pieces/*.csv"]), piece_bytes=4)
    texts = [read(piece.url, piece.start, piece.stop) for piece in layout.pieces]
    assert b"".join(texts) == b"1,2\n3,4\n"
    assert len(texts) == 2


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_nothing_behind_the_end_of_a_file_at_an_address_is_asked_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 refuses to read there."""
    from fsspec.implementations.memory import MemoryFileSystem

    cat_file = MemoryFileSystem.cat_file

    def within(self: MemoryFileSystem, path: str, start: int, end: int) -> bytes:
        assert 0 <= start < self.size(path)
        return bytes(cat_file(self, path, start=start, end=end))

    table = pl.DataFrame({"x": range(10)})
    write = table.write_csv if name == "a.csv" else table.write_parquet
    write(tmp_path / name)
    address = f"memory://raisin-pieces-end/{name}"
    MemoryFileSystem().pipe(address, (tmp_path / name).read_bytes())
    monkeypatch.setattr(MemoryFileSystem, "cat_file", within)
    assert divide(find([address])).sha256 == divide(find([tmp_path / name])).sha256


def test_an_address_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    def away(*_arguments: object, **_settings: object) -> None:
        raise RuntimeError("no route to host")

    monkeypatch.setattr(MemoryFileSystem, "isdir", away)
    with pytest.raises(
        DataError, match=r"memory://far/\*\.csv cannot be reached: no route to host"
    ):
        find(["memory://far/*.csv"])
    monkeypatch.setattr(MemoryFileSystem, "cat_file", away)
    with pytest.raises(DataError, match=r"memory://far/a\.csv cannot be reached: no route to host"):
        read("memory://far/a.csv", 0, 1)

"""An upload becomes plain UTF-8 text with a header that says how it is read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from endpoints.errors import InvalidRequest
from endpoints.services.tables import reading
from endpoints.services.tables.reading import Reading
from tests.endpoints.services.tables.files import HEADER, plan_of, prepared, results, scored

ROWS = b"Area,Extent,Colour\n1,0.5,red\n2,0.6,dark\n"


def test_it_works(tmp_path: Path) -> None:
    found = prepared(tmp_path, ROWS)
    assert found == Reading("csv", "utf-8", ",", ("Area", "Extent", "Colour"), HEADER)
    assert (tmp_path / "source").read_bytes() == ROWS


def test_what_was_found_can_be_kept_as_json(tmp_path: Path) -> None:
    found = prepared(tmp_path, "Grüße;b\n1;2\n".encode("utf-16"))
    assert Reading.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.parametrize(
    ("encoding", "read_as", "note"),
    [
        ("utf-8-sig", "utf-8-sig", None),
        ("utf-16", "utf-16-le", "Read as UTF-16."),
        ("utf-32", "utf-32-le", "Read as UTF-32."),
        ("cp1252", "windows-1252", "Read as Windows-1252, as it is no UTF-8."),
    ],
)
def test_other_encodings_become_utf_8(
    encoding: str, read_as: str, note: str | None, tmp_path: Path
) -> None:
    text = "Größe;Preis\n1;5 €\n2;„x“\n"
    found = prepared(tmp_path, text.encode(encoding))
    assert (found.encoding, found.columns) == (read_as, ("Größe", "Preis"))
    assert (tmp_path / "source").read_text() == text
    assert found.notes == ((note,) if note else ())


def test_big_endian_is_read_too(tmp_path: Path) -> None:
    found = prepared(tmp_path, b"\xfe\xff" + "a,b\n1,2\n".encode("utf-16-be"))
    assert found.columns == ("a", "b")


def test_results_begin_with_a_mark_where_the_file_did_not_need_one(tmp_path: Path) -> None:
    from endpoints.services.tables import scoring

    plan = plan_of(tmp_path, b"\xef\xbb\xbf" + ROWS)
    assert scoring.header(plan).startswith(b"\xef\xbb\xbfArea,")
    assert results(plan).startswith(b"1,0.5,red,")


def test_a_few_lines_that_are_no_utf_8_do_not_make_another_encoding(tmp_path: Path) -> None:
    found = prepared(tmp_path, b"a,b\n" + b"1,2\n" * 300 + b"1,\xe9\n" * 2)
    assert found.encoding == "utf-8"
    assert found.notes == ("2 lines hold bytes that are no UTF-8 text.",)


@pytest.mark.parametrize(
    "header",
    [
        "Größe;Fläche;y\n",
        "sep=;\nGröße;Fläche;y\n",
        "\r\n\nsep=;\r\n\nGröße;Fläche;y\r\n",
        'Area;"Größe\nin mm";Extent\n',
        'sep=;\nArea;"in\n\nmm²";Extent\n',
        f'"{"long, " * 15_000}\n";"{"long, " * 15_000}\nmm²";c\n',
    ],
)
def test_a_header_alone_tells_another_encoding(header: str, tmp_path: Path) -> None:
    found = prepared(tmp_path, header.encode("cp1252") + b"1;2;3\n" * 300)
    assert found.encoding == "windows-1252"
    assert found.header_bytes.decode() == header


def test_a_quoted_line_below_the_header_does_not(tmp_path: Path) -> None:
    found = prepared(tmp_path, 'sep=;\na;"b"\n1;"x\né"\n'.encode("cp1252") + b"1;2\n" * 300)
    assert (found.encoding, found.columns) == ("utf-8", ("a", "b"))


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n1,5;2,5\n", ";"),
        ("a\tb\n1\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ("a\n1\n", ","),
        ('"x, y";b;c\n1;2;3\n', ";"),
        ("a;b,c\n1;2\n3;4\n", ";"),
        ("sep=;\na,b;c\n1,5;2\n", ";"),
        ('a,b\n1,"2\n' + "3,4\n" * 50_000, ","),
    ],
)
def test_the_delimiter_is_the_one_that_parts_the_rows_alike(
    text: str, delimiter: str, tmp_path: Path
) -> None:
    assert prepared(tmp_path, text.encode()).delimiter == delimiter


def test_a_line_that_names_the_delimiter_stands_before_the_header(tmp_path: Path) -> None:
    found = prepared(tmp_path, b"\xef\xbb\xbfsep=;\r\nArea;Extent\r\n1;2\r\n")
    assert (found.columns, found.header_bytes) == (
        ("Area", "Extent"),
        b"sep=;\r\nArea;Extent\r\n",
    )


def test_blank_lines_may_stand_behind_the_delimiter(tmp_path: Path) -> None:
    found = prepared(tmp_path, b"sep=;\n\r\n\nArea;Extent\n1;2\n")
    assert (found.columns, found.delimiter) == (("Area", "Extent"), ";")
    assert found.header_bytes == b"sep=;\n\r\n\nArea;Extent\n"


def test_a_compressed_file_is_unpacked(tmp_path: Path) -> None:
    assert prepared(tmp_path, gzip.compress(ROWS)).header_bytes == HEADER
    assert (tmp_path / "source").read_bytes() == ROWS


def test_several_compressed_pieces_are_one_file(tmp_path: Path) -> None:
    prepared(tmp_path, gzip.compress(ROWS) + gzip.compress(b"3,0.7,gold\n"))
    assert (tmp_path / "source").read_bytes() == ROWS + b"3,0.7,gold\n"


def test_a_header_may_hold_line_ends_and_stand_below_blank_lines(tmp_path: Path) -> None:
    found = prepared(tmp_path, b'\r\n\n a,"b\nc, d"\n1,2\n')
    assert found.columns == ("a", "b\nc, d")
    assert found.header_bytes == b'\r\n\n a,"b\nc, d"\n'


def test_lines_that_end_as_on_an_old_macintosh_are_read(tmp_path: Path) -> None:
    assert scored(tmp_path, b"1,0.5,red\n") == scored(tmp_path, b"1,0.5,red\n")
    found = prepared(tmp_path, ROWS.replace(b"\n", b"\r"))
    assert (tmp_path / "source").read_bytes() == ROWS
    assert found.notes == ("Its lines ended as on an old Macintosh (CR).",)


def test_a_first_line_of_values_is_told(tmp_path: Path) -> None:
    assert "looks like values" in prepared(tmp_path, b"1,2\n3,4\n").notes[0]


def test_it_stops_when_its_work_is_wanted_no_more(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def alive() -> None:
        raise Stop

    upload = tmp_path / "upload"
    upload.write_bytes(ROWS)
    with pytest.raises(Stop):
        reading.prepare(upload, tmp_path / "source", name="", most_bytes=99, alive=alive)


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(b"a,b\n" + b"1,2\n" * 500_000)
    with pytest.raises(InvalidRequest, match="more than 1 MB when it is unpacked"):
        prepared(tmp_path, packed, most_bytes=1_100_000)
    assert (tmp_path / "source").stat().st_size < 1_100_000

"""Rows do not depend on where a piece of the file ends, and mean what they mean in a REST body."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from endpoints import csv_rows
from endpoints.errors import DomainError
from endpoints.services.tables import scoring
from endpoints.services.tables.scoring import Position
from mlcore.errors import SchemaError
from tests.endpoints.services.tables.files import HEADER, plan_of, results, two_classes

CELLS = st.sampled_from(
    [
        "1",
        " 2.5 ",
        "abc",
        "",
        "NA",
        "1e400",
        "-3",
        "red",
        "gold",
        "blue",
        "1_0",
        "7,5",
        "0x1",
        "nan",
    ]
)
MARKS = st.sampled_from(['"', '""', "\n", "\r\n", "\r", ",", ";", "\xe9", "x", "1", " "])
ODD_BYTES = st.sampled_from([b"\xff", b"\xc3", b'"\xe9"', b'"a\nb"', b'x","z', b"\n\n", b"\r\n"])
LINE = (
    st.lists(CELLS, min_size=1, max_size=5).map(lambda cells: ",".join(cells).encode())
    | st.lists(MARKS, max_size=12).map(lambda marks: "".join(marks).encode())
    | st.lists(ODD_BYTES, max_size=3).map(b",".join)
    | st.just(b"5,1,red")
    | st.just(b"5,1,\x01")
    | st.just(b'5,"1","re""d"')
)
ROWS = st.lists(st.tuples(LINE, st.sampled_from([b"\n", b"\n", b"\r\n"])), max_size=20).map(
    lambda lines: b"5,1,red\n" + b"".join(line + end for line, end in lines)
)


@given(ROWS, st.integers(1, 60), st.booleans())
@example(b'5,1,red\nx","z\nx","z\n5,1,red\n', 1, False)
@example(b"5,1,red\n\n\r\n\n5,1,red", 3, False)
@example(b'5,1,"red\n5,1,red', 3, False)
@settings(max_examples=40, deadline=None)
def test_the_results_are_the_same_however_the_file_is_cut(
    rows: bytes, size: int, is_cut_off: bool
) -> None:
    with tempfile.TemporaryDirectory() as place:
        plan = plan_of(Path(place), HEADER + (rows[:-1] if is_cut_off else rows))
        whole = list(scoring.chunks(plan, chunk_bytes=1 << 20))
        pieces = list(scoring.chunks(plan, chunk_bytes=size))
        assert b"".join(p.results for p in pieces) == b"".join(p.results for p in whole)
        assert b"".join(p.errors for p in pieces) == b"".join(p.errors for p in whole)
        n_rows = sum(piece.n_rows for piece in pieces)
        assert n_rows == whole[-1].end.row == scoring.count_rows(plan, lambda: None)
        middle = pieces[len(pieces) // 2]
        rest = [piece.results for piece in pieces[len(pieces) // 2 + 1 :]]
        assert results(plan, Position(*middle.end)) == b"".join(rest)


@given(ROWS, st.integers(1, 60))
@settings(max_examples=25, deadline=None)
def test_every_byte_of_the_file_is_in_the_results(rows: bytes, size: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        plan = plan_of(Path(place), HEADER + rows)
        at, source = 0, plan.source.read_bytes()[len(plan.reading.header_bytes) :]
        for line in results(plan, chunk_bytes=size).split(b"\n"):
            kept = _common(line, source[at:])
            at += len(kept)
            if source[at : at + 2] == b"\r\n" and line.endswith(b"\r"):
                at += 1
            at += source[at : at + 1] == b"\n"
        assert at == len(source)


def _common(line: bytes, source: bytes) -> bytes:
    """The start of the file that the line of the results begins with, as it is or within one quoted cell."""
    own = source.split(b"\n", 1)[0].removesuffix(b"\r")
    doubled = own.replace(b'"', b'""')
    assert line.startswith((own, b'"' + doubled, doubled))
    return own


@given(ROWS, st.integers(1, 60))
@example(b'5,1,red\n1,1,"red\n5,1,red,,0.99,Besni\n5,1\n', 60)
@example(b'5,1,red\n""\r\r\n', 1)
@settings(max_examples=60, deadline=None)
def test_the_answers_stand_in_their_columns_whatever_the_row(rows: bytes, size: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        plan = plan_of(Path(place), HEADER + rows)
        text = (scoring.header(plan) + results(plan, chunk_bytes=size)).decode("latin-1")
        found = list(csv.DictReader(io.StringIO(text, newline="")))
        assert len(found) == scoring.count_rows(plan, lambda: None)
        for row in found:
            assert None not in row
            assert row["version"] == "3"
            assert bool(row["error"]) != bool(row["probability"])
            assert bool(row["probability"]) == bool(row["label"])


TEXT = st.text(st.characters(codec="utf-8", exclude_characters='"\r\n\0,'), max_size=6)
NUMBER = (
    CELLS
    | TEXT
    | st.floats(allow_nan=True).map(str)
    | st.floats(-1e6, 1e6).map("{:.4f}".format)
    | st.from_regex(r"[+-]?[0-9._]{1,25}([eE][+-]?[0-9]{1,3})?", fullmatch=True)
)
COLOUR = st.sampled_from(["red", "dark", " gold ", "Red", "", "NA", "none", "None"]) | TEXT


@given(st.lists(st.tuples(NUMBER, NUMBER, COLOUR), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_a_row_means_what_it_means_in_a_rest_body(rows: list[tuple[str, str, str]]) -> None:
    classifier = two_classes()
    lines = [",".join(row) for row in rows]
    with tempfile.TemporaryDirectory() as place:
        plan = plan_of(Path(place), HEADER + "\n".join(["1,1,red", *lines, ""]).encode())
        chunks = list(scoring.chunks(plan))
        text = b"".join(chunk.results for chunk in chunks).decode()
        written = list(csv.reader(io.StringIO(text, newline="")))[1:]
        for line, answers in zip(lines, written, strict=True):
            body = HEADER + f"{line}\n".encode()
            try:
                [cells] = csv_rows.read_csv(body, classifier.schema, most_rows=9, header="present")
                report = classifier.score([cells])
            except (DomainError, SchemaError):
                assert answers[-4:-2] == ["", ""]
                assert answers[-1]
            else:
                assert float(answers[-4]) == report.positive[0]
                assert answers[-3:] == [report.labels[0], "3", ""]

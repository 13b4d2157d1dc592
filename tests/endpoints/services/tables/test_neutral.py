"""Lines as a spreadsheet may open them: formulas are marked, everything else is left alone."""

from __future__ import annotations

import csv
import io
import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoints.downloads import FORMULA_STARTS
from endpoints.services.tables.neutral import formula_in_line, neutralised


def neutral(text: bytes, delimiter: str = ",") -> bytes:
    return b"".join(neutralised(iter(io.BytesIO(text)), delimiter))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b"=1+1,2\n", b"'=1+1,2\n"),
        (b"a,@b\r\n", b"a,'@b\r\n"),
        (b"a,\tb\n", b"a,'\tb\n"),
        (b'"=1,2",3\n', b'"\'=1,2",3\n'),
        (b"-1+cmd|x,+5\n", b"'-1+cmd|x,+5\n"),
        (b"-1,5\n", b"-1,5\n"),
        (b"-.5,+1e-7,-1E5,-0\n", b"-.5,+1e-7,-1E5,-0\n"),
        (b"-,+\n", b"'-,'+\n"),
        (b"-1e5.,+1e,-1..5,+.5.5\n", b"'-1e5.,'+1e,'-1..5,'+.5.5\n"),
        (b"-1.,+1.5.,-1 ,+1 x\r\n", b"-1.,+1.5.,-1 ,'+1 x\r\n"),
        (b'"-1,5","+1"",2","-1\n"\n', b'"-1,5","\'+1"",2","\'-1\n"\n'),
        (b"+1e+cmd|'/C calc'!A1,-1E(2)\n", b"'+1e+cmd|'/C calc'!A1,'-1E(2)\n"),
        (b"a=b,c-d,e@f\n", b"a=b,c-d,e@f\n"),
        (b'"a,=b",c\n', b'"a,=b",c\n'),
        (b'"a\n=b",=c\n', b'"a\n=b",\'=c\n'),
        (b'"a ""x\n=b\n"" y",=c\n=d\n', b'"a ""x\n=b\n"" y",\'=c\n\'=d\n'),
        (b"\xef\xbb\xbf=a,b\n", b"\xef\xbb\xbf'=a,b\n"),
        (b"1,,,3,\r\n", b"1,,,3,\r\n"),
        (b"=\xff\n", b"'=\xff\n"),
        (b"a,=b", b"a,'=b"),
        (b"", b""),
    ],
)
def test_a_cell_that_could_run_gets_an_apostrophe(given: bytes, expected: bytes) -> None:
    assert neutral(given) == expected


def test_a_decimal_comma_between_semicolons_is_a_number() -> None:
    assert neutral(b"-1,5;+2,5;=3\n", ";") == b"-1,5;+2,5;'=3\n"


CELL = st.text(st.sampled_from('=+-@\t",;\nab1.'), max_size=6)


@given(st.lists(st.lists(CELL, min_size=2, max_size=3), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_no_cell_begins_as_a_formula_and_no_other_changes(rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    read = list(csv.reader(io.StringIO(neutral(text.getvalue().encode()).decode(), newline="")))
    for before, after in zip(rows, read, strict=True):
        for cell, safe in zip(before, after, strict=True):
            assert safe in (cell, f"'{cell}")
            is_number = safe.strip(" \n").lstrip("+-").replace(".", "").replace(",", "").isdecimal()
            assert is_number or not safe.startswith(FORMULA_STARTS) or not safe.strip("\r\n ")


NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d+)*[.,]?|[.,]\d+)(?:[eE][+-]?\d+)?")
BITS = st.text(st.sampled_from('=+-1.,eE; \t\r"x'), max_size=7)


def could_run(cell: str) -> bool:
    text = cell.rstrip("\r\n ")
    return bool(text) and cell.startswith(FORMULA_STARTS) and NUMBER.fullmatch(text) is None


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@given(cells=st.lists(BITS, min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_batches_find_the_cells_that_a_download_marks(delimiter: str, cells: list[str]) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="").writerow(cells)
    line = text.getvalue()
    wanted = any(map(could_run, cells))
    assert (neutral(line.encode(), delimiter) != line.encode()) is wanted
    found = pl.Series([line]).str.contains(formula_in_line(delimiter)).item()
    has_bar_within = any(delimiter in cell for cell in cells)
    assert found is wanted or (found and has_bar_within)

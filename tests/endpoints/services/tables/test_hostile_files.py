"""Files that are no tables, or bad ones: each is refused in words, or has its bad rows flagged."""

from __future__ import annotations

import codecs
import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from endpoints.errors import InvalidRequest
from endpoints.services.tables import mapping, plain_text, scoring
from tests.endpoints.services.tables.files import (
    HEADER,
    errors,
    plan_of,
    prepared,
    results,
    two_classes,
)

GOOD = b"1,0.5,red\n"


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("rows.csv", HEADER + GOOD)
    return file.getvalue()


def bomb() -> bytes:
    return gzip.compress(HEADER + b"1,1,red\n" * 6_000_000, compresslevel=9)


REFUSED: dict[str, tuple[bytes | Callable[[], bytes], str]] = {
    "empty": (b"", "is empty"),
    "blank lines alone": (b"\n\r\n\n", "blank lines"),
    "a byte order mark alone": (codecs.BOM_UTF8, "blank lines"),
    "a header alone": (HEADER, "header but no rows"),
    "a header without a line end": (b"a,b", "header but no rows"),
    "a header and blank lines": (HEADER + b"\n\n\r\n", "header but no rows"),
    "a named delimiter alone": (b"sep=;", r"The file ends after sep=;\."),
    "a named delimiter and blank lines": (b"\nsep=|\r\n\r\n", r"The file ends after sep=\|\."),
    "a column named twice": (b"a,b,a\n1,2,3\n", "named twice: a"),
    "columns named alike but for blanks": (b"a, a \n1,2\n", "named twice: a"),
    "5,001 columns": (b",".join(b"c%d" % n for n in range(5_001)) + b"\n1\n", "5,001 columns"),
    "NUL bytes": (HEADER + b"1,\0,red\n", "Line 2 holds a NUL byte"),
    "UTF-16 without its mark": (HEADER.decode().encode("utf-16-le"), "Line 1 holds a NUL byte"),
    "UTF-16 that is cut": ("a,b\n1,2\n".encode("utf-16")[:-1], "goes on as something else"),
    "UTF-16 with lone surrogates": (codecs.BOM_UTF16_LE + b"a\0\n\0\0\xd8b\0", "something else"),
    "a web page": (b"  <!DOCTYPE html>\n<html>", "web page"),
    "a web page with a mark": (codecs.BOM_UTF8 + b"\n<HTML>", "web page"),
    "XML": (b'<?xml version="1.0"?>', "XML"),
    "JSON": (b'[{"Area": 1}]', "JSON"),
    "JSON lines": (b'{"Area": 1}\n{"Area": 2}\n', "JSON"),
    "a spreadsheet": (zipped, "xlsx"),
    "an old spreadsheet": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "xls"),
    "a PDF": (b"%PDF-1.7\n", "PDF"),
    "an image": (b"\x89PNG\r\n\x1a\n", "image"),
    "a pickle": (b"\x80\x04\x95\x00", "pickle"),
    "a database": (b"SQLite format 3\0", "SQLite"),
    "an Arrow file": (b"ARROW1\0\0", "Parquet or CSV"),
    "bzip2": (b"BZh91AY", "gzip alone"),
    "xz": (b"\xfd7zXZ\0", "gzip alone"),
    "Zstandard": (b"\x28\xb5\x2f\xfd\0", "gzip alone"),
    "gzip of nothing": (gzip.compress(b""), "holds nothing"),
    "gzip of gzip": (gzip.compress(gzip.compress(HEADER + GOOD)), "compressed twice"),
    "gzip of a ZIP": (lambda: gzip.compress(zipped()), "ZIP"),
    "gzip of a web page": (gzip.compress(b"<html>"), "web page"),
    "gzip that is cut": (gzip.compress(HEADER + GOOD * 99)[:-9], "damaged or cut off"),
    "gzip that is damaged": (gzip.compress(HEADER)[:-4] + b"abcd", "damaged or cut off"),
    "the start of gzip": (b"\x1f\x8b\x08", "damaged or cut off"),
    "a zip bomb": (bomb, "more than 500 times its size"),
    "one line of 3 MiB": (b"1," * (3 << 19), "Line 1 is longer than 1 MiB"),
    "a long line in the middle": (
        HEADER + GOOD * 9 + b"x" * (3 << 20) + b"\n",
        "Line 11 is longer",
    ),
    "a long line at the end": (HEADER + GOOD * 9 + b"x" * (3 << 20), "Line 11 is longer"),
    "a quote never closed in the header": (b'a,"b\n1,2\n3,4\n', "header cannot be read"),
    "Parquet that is cut": (b"PAR1" + bytes(100), "Parquet file cannot be read"),
    "Parquet of noise": (b"PAR1" + bytes(range(256)) + b"PAR1", "Parquet file cannot be read"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_no_table_is_refused(name: str, tmp_path: Path) -> None:
    content, words = REFUSED[name]
    with pytest.raises(InvalidRequest, match=words) as refused:
        prepared(tmp_path, content if isinstance(content, bytes) else content())
    assert refused.value.message.endswith(".")
    assert len(refused.value.message) < 300


MANY = HEADER + GOOD * 300

FLAGGED: dict[str, tuple[bytes, dict[int, str]]] = {
    "text for a number": (HEADER + b"abc,0.5,red\n" + GOOD, {1: "expected a number"}),
    "decimal commas": (
        b"Area;Extent;Colour\n1,5;0.5;red\n",
        {1: "write the decimals after a point"},
    ),
    "thousands in quotes": (HEADER + b'"90,000",0.5,red\n', {1: "expected a number"}),
    "a currency": (HEADER + "5 €,0.5,red\n".encode(), {1: "expected a number"}),
    "infinity": (HEADER + b"inf,0.5,red\n", {1: "finite number"}),
    "a number too large": (HEADER + b"1e200,0.5,red\n", {1: "finite number"}),
    "a number of a thousand digits": (HEADER + b"9" * 1_000 + b",0.5,red\n", {1: "finite"}),
    "digits of another script": (HEADER + "١٢,0.5,red\n".encode(), {1: "expected a number"}),
    "formula cells": (HEADER + b"=1+1,0.5,red\n@x,0.5,red\n", {1: "number", 2: "number"}),
    "short rows": (HEADER + b"1\n1,0.5\n" + GOOD, {1: "got 1", 2: "got 2"}),
    "long rows": (HEADER + GOOD + b"1,0.5,red,4,5\n", {2: "got 5"}),
    "a delimiter at the end of a row": (HEADER + b"1,0.5,red,\n" + GOOD, {1: "got 4"}),
    "a blank in place of a row": (HEADER + b" \n" + GOOD, {1: "got 1"}),
    "the header once more": (HEADER + GOOD + HEADER, {2: "expected a number"}),
    "another delimiter half way": (HEADER + GOOD + b"1;0.5;red\n", {2: "got 1"}),
    "mixed line ends": (HEADER + b"1,0.5,red\r\nx,0.5,red\n1,0.5,red\r\n", {2: "number"}),
    "a carriage return within a row": (HEADER + b"1,0.5,red\r2,0.5,red\n", {1: "carriage"}),
    "a quote never closed": (HEADER + b'1,0.5,"red\n' + GOOD * 3, {1: "quotation mark"}),
    "a quote in the middle": (HEADER + b'1,0.5,r"ed\n' + GOOD, {1: "expected one of"}),
    "text behind a quoted cell": (HEADER + b'"1"x,0.5,red\n' + GOOD, {1: "quotation mark"}),
    "a quoted cell with a line end": (HEADER + b'1,0.5,"re\nd"\n' + GOOD, {1: "expected one of"}),
    "quotes that never end well": (
        HEADER + b'1,"0.5","red\n1,"0.5","red\n' + GOOD,
        {1: "quotation mark", 2: "quotation mark"},
    ),
    "bytes that are no UTF-8": (MANY + b"1,0.5,r\xe9d\n", {301: "no UTF-8"}),
    "half a character": (MANY + b"1,0.5,\xc3\n" + GOOD, {301: "no UTF-8"}),
    "a surrogate in UTF-8": (MANY + b"1,0.5,\xed\xa0\x80\n", {301: "no UTF-8"}),
    "an overlong NUL": (MANY + b"1,0.5,\xc0\x80\n", {301: "no UTF-8"}),
    "bad bytes in a quoted cell": (MANY + b'1,0.5,"r\xff\nd"\n' + GOOD, {301: "no UTF-8"}),
    "control characters": (HEADER + b"1,0.5,\x01\x02\n" + GOOD, {1: "expected one of"}),
    "an unknown level": (HEADER + b"1,0.5,green\n", {1: "expected one of"}),
    "a mark in the middle": (HEADER + GOOD + codecs.BOM_UTF8 + GOOD, {2: "expected a number"}),
    "a wide row of quotes": (HEADER + b'"' * 9_999 + b"\n" + GOOD, {1: "quotation mark"}),
    "a cell of 900,000 characters": (HEADER + b"x" * 900_000 + b",1,red\n" + GOOD, {1: "number"}),
}


@pytest.mark.parametrize("name", FLAGGED)
def test_bad_rows_are_flagged_and_the_others_scored(name: str, tmp_path: Path) -> None:
    content, expected = FLAGGED[name]
    plan = plan_of(tmp_path, content)
    found = {int(row): problem for row, _, _, problem in reversed(errors(plan))}
    assert found.keys() == expected.keys()
    assert all(words in found[row] for row, words in expected.items())
    n_rows = scoring.count_rows(plan, lambda: None)
    [*chunks] = scoring.chunks(plan)
    assert sum(len(chunk.answered.rows) for chunk in chunks) == n_rows - len(expected)


def test_a_missing_column_is_named_with_the_nearest_one() -> None:
    found = mapping.match(two_classes().schema, ["area", "Extent", "Colour"])
    assert [(missing.name, missing.suggestion) for missing in found.missing] == [("Area", "area")]


def test_5_000_columns_are_read(tmp_path: Path) -> None:
    names = ["Area", "Extent", "Colour", *(f"c{n}" for n in range(4_997))]
    row = ["1", "0.5", "red", *["x"] * 4_997]
    plan = plan_of(tmp_path, "\n".join([",".join(names), ",".join(row), ""]).encode())
    assert results(plan).endswith(b",3,\n")


def test_broken_quotes_cost_no_more_than_a_few_readings_of_the_file(tmp_path: Path) -> None:
    """Every line opens a quote and goes on with the one before: looked at from each line to the end of what
    a row may hold, this file would be read 10,000 times."""
    plan = plan_of(tmp_path, HEADER + b'x","z,\n' * 20_000)
    [*chunks] = scoring.chunks(plan)
    assert sum(chunk.n_bad for chunk in chunks) == 20_000


def test_a_line_without_end_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_text, "BLOCK", 1_000)
    monkeypatch.setattr(plain_text, "MOST_LINE_BYTES", 5_000)
    with pytest.raises(InvalidRequest, match="Line 1 is longer"):
        prepared(tmp_path, b"x" * 1_000_000)
    assert (tmp_path / "source").stat().st_size == 0

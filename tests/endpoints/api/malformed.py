"""Bodies that nobody should send, by name; each must be refused in the one shape and logged nowhere."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator

from tests.cast import ROW

TEXT = json.dumps(ROW)
BODY = TEXT.encode()
VALUES = list(ROW.values())
Case = tuple[str, bytes, dict[str, str]]

NOT_JSON = (
    b"", b" ", b"\n\t", b"{", b"}", b"[", b"]", b",", b":", b'"', b"nul", b"tru", b"fals", b"None",
    b"True", b"NaN", b"Infinity", b"-Infinity", b"undefined", b"-", b"+1", b".5", b"1.", b"01", b"1e",
    b"0x10", b"1e999", b"-1e999", b"1_000", b"'a'", b"{'Area': 1}", b"{Area: 1}", b'{"Area" 1}',
    b'{"Area": }', b'{"Area": 1,}', b'{,"Area": 1}', b'{"Area": 1 "Extent": 2}', b"[1,]", b"[,1]",
    b"[1 2]", b"{} {}", b"{}]", b'{"Area": 1}; DROP TABLE', b"// comment\n{}", b"/* comment */ {}",
    b"# comment\n{}", b'"\\x41"', b'"\\u00"', b'"\\ud800"', b'"\\udc00"', b'"\\ud800\\ud800"',
    b'{"\\ud800": 1}', b'"a\nb"', b'"a\x00b"', b'"a\tb"', b"\x00", b"{}\x00", b"\x1f\x8b",
    b"Area=87524&Extent=0.75", b"Area,Extent\n87524,0.75\n", b"<row><Area>1</Area></row>",
    b"<!doctype html><title>x</title>", b"Area: 87524", b"---\nArea: 1\n", b"\x93NUMPY\x01\x00",
    b"\x80\x04\x95.", b"PK\x03\x04", b"%PDF-1.7",
)  # fmt: skip

NO_OBJECT = (
    None, True, False, 0, 1, -1, 1.5, 1e300, 10**30, "", "text", TEXT, [], [1], [None], [{}], [ROW],
    VALUES, [VALUES], [[]],
)  # fmt: skip

BAD_CELLS = (
    None, True, False, "", "1", "NaN", "87524", [], {}, [1], {"a": 1}, 1e151, -1e151, 10**200,
)  # fmt: skip

BAD_WRAPPERS = (
    {"features": {}}, {"features": None}, {"features": 1}, {"features": "x"}, {"features": True},
    {"features": []}, {"features": [[]]}, {"features": [{}]}, {"features": [None]},
    {"features": [1]}, {"features": VALUES[:6]}, {"features": [*VALUES, 1]},
    {"features": [VALUES[:6]]}, {"features": [[*VALUES, 1]]}, {"features": [VALUES, 1]},
    {"features": [VALUES, []]}, {"features": [[VALUES]]}, {"features": {"features": ROW}},
    {"features": ["1"] * 7}, {"features": [[None] * 7]}, {"rows": {}}, {"rows": None}, {"rows": 1},
    {"rows": "x"}, {"rows": []}, {"rows": [[]]}, {"rows": [{}]}, {"rows": [None]}, {"rows": VALUES},
    {"rows": [1, 2]}, {"rows": ["x"]}, {"rows": [ROW, {}]}, {"rows": [ROW, None]},
    {"rows": [[VALUES]]}, {"rows": {"rows": [ROW]}}, {"rows": [{"features": ROW}]},
    {"rows": [ROW], "features": [ROW]}, {"features": ROW, "explain": True}, {"row": ROW},
    {"Features": ROW}, {"instances": [ROW]}, {"inputs": [ROW]}, {"data": ROW}, {"": ROW},
    {"rows": [ROW] * 1_001}, {"features": [VALUES] * 1_001},
)  # fmt: skip


def deep(opening: bytes, levels: int, closing: bytes = b"", core: bytes = b"1") -> bytes:
    return opening * levels + core + closing * levels


DEEP = {
    "1,025 lists": deep(b"[", 1_025, b"]"),
    "100,000 lists": deep(b"[", 100_000, b"]"),
    "100,000 open lists": deep(b"[", 100_000, core=b""),
    "100,000 open objects": deep(b'{"a":', 100_000, core=b""),
    "900 objects": deep(b'{"a":', 900, b"}"),
    "900 features": deep(b'{"features":', 900, b"}"),
    "900 rows": deep(b'{"rows":[', 400, b"]}"),
    "a deep cell": BODY.replace(b"87524", deep(b"[", 900, b"]")),
}

WRONG_BYTES = {
    "a byte order mark": b"\xef\xbb\xbf" + BODY,
    "UTF-16": TEXT.encode("utf-16"),
    "UTF-16 LE": TEXT.encode("utf-16-le"),
    "UTF-16 BE": TEXT.encode("utf-16-be"),
    "UTF-32": TEXT.encode("utf-32"),
    "UTF-7": '{"Ärea": 1}'.encode("utf-7"),
    "EBCDIC": TEXT.encode("cp500"),
    "Latin-1": '{"Ärea": 1}'.encode("latin-1"),
    "an encoded surrogate": b'{"\xed\xa0\x80": 1}',
    "an overlong slash": b'{"\xc0\xaf": 1}',
    "a cut character": b'{"\xe2\x82": 1}',
    "a lone continuation": b'"\x80"',
    "a 5-byte character": b'"\xf8\x88\x80\x80\x80"',
    "gzip unannounced": gzip.compress(BODY),
    "zlib unannounced": zlib.compress(BODY),
}

LARGE = {
    "10 MB of spaces": b" " * 10_000_000,
    "10 MB of text": b'"' + b"a" * 10_000_000 + b'"',
    "2 MB of rows": b'{"rows": [' + b"[1]," * 500_000 + b"[1]]}",
    "one byte too many": b" " * (1_048_577 - len(BODY)) + BODY,
}

MULTIPART = b'--x\r\nContent-Disposition: form-data; name="Area"\r\n\r\n87524\r\n--x--\r\n'

WITH_HEADERS = {
    "a gzip bomb": (gzip.compress(b" " * 50_000_000), {"Content-Encoding": "gzip"}),
    "a cut gzip": (gzip.compress(BODY)[:-4], {"Content-Encoding": "gzip"}),
    "gzip in name only": (BODY, {"Content-Encoding": "gzip"}),
    "a deflate bomb": (zlib.compress(b" " * 50_000_000), {"Content-Encoding": "deflate"}),
    "deflate in name only": (BODY, {"Content-Encoding": "deflate"}),
    "brotli": (BODY, {"Content-Encoding": "br"}),
    "two encodings": (BODY, {"Content-Encoding": "identity, gzip"}),
    "an unknown encoding": (BODY, {"Content-Encoding": "x" * 500}),
    "a multipart form": (MULTIPART, {"Content-Type": "multipart/form-data; boundary=x"}),
    "multipart without boundary": (MULTIPART, {"Content-Type": "multipart/form-data"}),
    "a form": (b"Area=1", {"Content-Type": "application/x-www-form-urlencoded"}),
    "an empty form": (b"", {"Content-Type": "application/x-www-form-urlencoded"}),
    "CSV": (b"Area\n1\n", {"Content-Type": "text/csv"}),
    "UTF-16, announced": (
        TEXT.encode("utf-16"),
        {"Content-Type": "application/json; charset=utf-16"},
    ),
    "a charset that unpacks": (
        b"BZh9",
        {"Content-Type": "application/json; charset=bz2_codec"},
    ),
}


def cases() -> Iterator[Case]:
    for body in NOT_JSON:
        yield f"not JSON: {body!r}", body, {}
    for value in NO_OBJECT:
        yield f"no object: {str(value)[:40]}", json.dumps(value).encode(), {}
    for name, body in {**DEEP, **WRONG_BYTES, **LARGE}.items():
        yield name, body, {}
    for name, (body, headers) in WITH_HEADERS.items():
        yield name, body, headers
    for value in BAD_WRAPPERS:
        yield f"wrapper: {str(value)[:60]}", json.dumps(value).encode(), {}
    yield from bad_cells()


def bad_cells() -> Iterator[Case]:
    """Each column missing, misspelt or duplicated in another case, and with each bad value."""
    for column in ROW:
        others = {key: value for key, value in ROW.items() if key != column}
        yield f"{column}: missing", json.dumps(others).encode(), {}
        yield f"{column}: lower case", json.dumps(others | {column.lower(): 1}).encode(), {}
        yield f"{column}: once more", json.dumps(ROW | {column.upper(): 1}).encode(), {}
        for value in BAD_CELLS:
            yield f"{column}: {str(value)[:20]!r}", json.dumps(ROW | {column: value}).encode(), {}
    yield "a column too many", json.dumps(ROW | {"Class": "Besni"}).encode(), {}
    yield "no column", b"{}", {}
    many = {f"column {number}": number for number in range(1_000)}
    yield "1,000 unknown columns", json.dumps(ROW | many).encode(), {}
    yield "a long column name", json.dumps(ROW | {"x" * 10_000: 1}).encode(), {}
    yield "a long text", json.dumps(ROW | {"Area": "x" * 100_000}).encode(), {}
    yield "a 400-digit number", BODY.replace(b"87524", b"9" * 400), {}

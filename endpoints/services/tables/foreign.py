"""Files that are no tables, told by their first bytes; it knows nothing of those that are."""

from __future__ import annotations

from endpoints.errors import InvalidRequest

HEAD = 1_024
PARQUET = b"PAR1"
GZIP = b"\x1f\x8b"

_AS_CSV = "save it as CSV and send that"
_KINDS = (
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet (xlsx, ods); " + _AS_CSV),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet of Excel (xls); " + _AS_CSV),
    (b"%PDF", "a PDF"),
    (b"ARROW1", "an Arrow file; save it as Parquet or CSV and send that"),
    (b"BZh", "compressed with bzip2; of compressed files gzip alone is read"),
    (b"\xfd7zXZ", "compressed with xz; of compressed files gzip alone is read"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard; of compressed files gzip alone is read"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "a database of SQLite"),
    (b"\x93NUMPY", "an array of NumPy"),
    (b"\x80\x04\x95", "a pickle; it is never opened"),
    (b"{\\rtf", "a text document"),
)
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<table", b"<body", b"<!--", b"<svg")


def refuse(head: bytes) -> None:
    """Raise InvalidRequest for the first bytes of a file that is no table as text."""
    for start, kind in _KINDS:
        if head.startswith(start):
            raise InvalidRequest(f"The file is {kind}.")
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(_PAGES):
        raise InvalidRequest(
            "The file is a web page or XML, not CSV; perhaps the download asked for a login."
        )
    if text.startswith((b'{"', b"[{", b"[[", b'{\n"', b"{\r\n")):
        raise InvalidRequest("The file is JSON, not CSV.")

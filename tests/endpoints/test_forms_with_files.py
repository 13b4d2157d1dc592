"""Forms with a file, as curl and browsers send them; whatever is no such form is none."""

from __future__ import annotations

import pytest

from endpoints.errors import InvalidRequest
from endpoints.forms_with_files import read_form

BOUNDARY = "------------------------d74496d66958873e"


def form(*parts: tuple[str, bytes], end: str = "--\r\n") -> bytes:
    """A form of fields, each given as what stands in its first header line and its content."""
    body = b""
    for disposition, content in parts:
        head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n"
        body += head.encode() + b"Content-Type: text/csv\r\n\r\n" + content + b"\r\n"
    return body + f"--{BOUNDARY}{end}".encode()


FILE = 'name="file"; filename="rows.csv"'


def test_it_works() -> None:
    body = form((FILE, b"a,b\r\n1,2\r\n"), ('name="version"', b"2"))
    assert read_form(body, known=("file", "version")) == {
        "file": b"a,b\r\n1,2\r\n",
        "version": b"2",
    }


def test_the_order_and_case_of_headers_do_not_matter() -> None:
    body = form((FILE, b"x")).replace(b"Content-Disposition", b"content-disposition")
    body = body.replace(b"--\r\n", b"--")
    assert read_form(body, known=("file",)) == {"file": b"x"}


@pytest.mark.parametrize(
    "body", [b"", b"a,b\n1,2\n", b"{}", b"--\r\n", b"--a\r\n1,2\r\n", b"-1,2\r\n", b"--a,b\r\nx: 1"]
)
def test_other_bodies_are_no_form(body: bytes) -> None:
    assert read_form(body, known=("file",)) is None


@pytest.mark.parametrize(
    "body",
    [
        form((FILE, b"x"))[:-6],
        form((FILE, b"x"), end="\r\n"),
        form((FILE.replace("name", "nam"), b"x")),
        form((FILE, b"x")).replace(b"\r\n\r\n", b"\r\n"),
        form(*[(FILE, b"x")] * 20),
    ],
    ids=["cut off", "without an end", "without a name", "without content", "too many parts"],
)
def test_it_refuses_what_is_damaged(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="The form cannot be read"):
        read_form(body, known=("file",))


def test_it_refuses_a_field_that_nobody_reads() -> None:
    with pytest.raises(InvalidRequest, match='“fil” is not read here; did you mean "file"'):
        read_form(form(('name="fil"', b"x")), known=("file",))


def test_it_refuses_two_files() -> None:
    with pytest.raises(InvalidRequest, match="“file” is sent twice"):
        read_form(form((FILE, b"x"), (FILE, b"y")), known=("file",))

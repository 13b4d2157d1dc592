"""A file at an address is copied here once, and no more copies are kept than are read."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any

import fsspec
import polars as pl
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from endpoints.services.large import local_copies
from endpoints.services.large.cells import PieceReader
from endpoints.services.large.local_copies import MOST_KEPT, here
from endpoints.services.large.pieces import divide
from endpoints.services.large.places import find
from mlcore.errors import DataError

FOLDER = "memory://raisin-copies"


@pytest.fixture(autouse=True)
def copied(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was copied."""
    found: Counter[str] = Counter()
    get_file = MemoryFileSystem.get_file

    def counted(self: MemoryFileSystem, path: str, to: str, **settings: Any) -> None:
        found[path.rpartition("/")[2]] += 1
        get_file(self, path, to, **settings)

    monkeypatch.setattr(MemoryFileSystem, "get_file", counted)
    monkeypatch.setattr(local_copies, "_copies", {})
    return found


def write(name: str, content: bytes = b"1") -> str:
    with fsspec.open(f"{FOLDER}/{name}", "wb") as file:
        file.write(content)
    return f"{FOLDER}/{name}"


def parquet(rows: int) -> bytes:
    content = io.BytesIO()
    pl.DataFrame({"x": range(rows)}).write_parquet(content)
    return content.getvalue()


def test_all_pieces_of_a_file_are_read_from_one_copy(copied: Counter[str]) -> None:
    layout = divide(find([write("a.parquet", parquet(10))]), piece_rows=3)
    found = [PieceReader(piece).numbers(["x"])["x"].values.tolist() for piece in layout.pieces]
    assert sum(found, []) == list(range(10))
    assert len(found) == 4
    assert copied == {"a.parquet": 1}


def test_a_file_here_is_read_where_it_is(tmp_path: Path, copied: Counter[str]) -> None:
    with here(str(tmp_path / "a.parquet")) as path:
        assert path == str(tmp_path / "a.parquet")
    assert not copied


def test_a_file_that_changed_is_copied_anew(copied: Counter[str]) -> None:
    address = write("a", b"old")
    with here(address) as path:
        assert Path(path).read_bytes() == b"old"
    write("a", b"new")
    with here(address) as path:
        assert Path(path).read_bytes() == b"new"
    assert copied == {"a": 2}


def test_the_copies_that_were_read_last_are_kept(copied: Counter[str]) -> None:
    addresses = [write(f"{number}") for number in range(MOST_KEPT + 1)]
    paths = []
    for address in addresses:
        with here(address) as path:
            paths.append(Path(path))
    assert [path.exists() for path in paths] == [False] + MOST_KEPT * [True]
    for address in reversed(addresses):
        with here(address):
            pass
    assert copied == {"0": 2, "1": 1, "2": 1}


def test_no_copy_goes_while_it_is_read() -> None:
    with here(write("first")) as first:
        for number in range(MOST_KEPT + 2):
            with here(write(f"{number}")):
                pass
        assert Path(first).exists()


def test_a_file_that_is_not_there_is_named() -> None:
    missing = f"{FOLDER}/missing"
    with pytest.raises(DataError, match=f"{missing} cannot be reached"), here(missing):
        pass

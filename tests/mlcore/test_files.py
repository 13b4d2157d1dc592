"""Files: what is read, and that a replaced file is whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlcore.errors import DataError
from mlcore.files import copy_file, read_file, replace_file


def test_it_works(tmp_path: Path) -> None:
    replace_file(tmp_path / "a" / "one", b"first")
    replace_file(tmp_path / "a" / "one", b"second")
    copy_file(tmp_path / "a" / "one", tmp_path / "a" / "two")
    assert read_file(tmp_path / "a" / "two", largest=6) == b"second"
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"one", "two"}


def test_it_reads_regular_files_of_bounded_size_only(tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.write_bytes(b"second")
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="at most 5 bytes"):
        read_file(path, largest=5)
    with pytest.raises(OSError, match="not a regular file of at most 2 MiB"):
        read_file(tmp_path / "pipe", largest=2**21)
    with pytest.raises(OSError, match="symbolic links"):
        read_file(tmp_path / "link", largest=100)


def test_a_failed_replacement_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.write_bytes(b"old")
    with pytest.raises(DataError, match="cannot write"):
        copy_file(tmp_path / "missing", path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]

"""Packed files as plain ones, for a while."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from endpoints.errors import InvalidRequest
from endpoints.services.tables import packed

ROWS = b"a,b\n1,2\n"


def written(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


def test_it_works(tmp_path: Path) -> None:
    home = tmp_path / "scratch"
    files = [
        written(tmp_path, "plain.csv", ROWS),
        written(tmp_path, "rows.csv.gz", gzip.compress(ROWS)),
        written(tmp_path, "wide.csv", ROWS.decode().encode("utf-16")),
        "s3://bucket/rows.csv.gz",
    ]
    with packed.plain(files, home=home, most_bytes=1_000) as found:
        assert (found[0], found[3]) == (files[0], files[3])
        assert [Path(file).name for file in found[1:3]] == ["rows.csv", "wide.csv"]
        assert [Path(file).read_bytes() for file in found[:3]] == [ROWS] * 3
    assert list(home.iterdir()) == []


def test_plain_files_need_no_folder(tmp_path: Path) -> None:
    files = [written(tmp_path, "plain.csv", ROWS), "raisin"]
    with packed.plain(files, home=tmp_path / "scratch", most_bytes=1) as found:
        assert found == files
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b"1,2\n" * 300), "when it is unpacked"),
        (gzip.compress(ROWS)[:-9], "damaged or cut off"),
        (gzip.compress(b"PAR1" + ROWS), "compressed Parquet"),
    ],
)
def test_it_refuses_what_is_no_table_or_too_long(
    tmp_path: Path, content: bytes, message: str
) -> None:
    home = tmp_path / "scratch"
    file = written(tmp_path, "rows.csv.gz", content)
    with (
        pytest.raises(InvalidRequest, match=rf"^rows\.csv\.gz: .*{message}"),
        packed.plain(
            [written(tmp_path, "good.csv.gz", gzip.compress(ROWS)), file],
            home=home,
            most_bytes=1_000,
        ),
    ):
        pass
    assert list(home.iterdir()) == []

from __future__ import annotations

import io
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from mlcore import DataError, Table, datasets, raisin, synthetic_raisin
from mlcore.datasets import RAISIN_SHA256, RAISIN_SOURCES
from mlcore.table import canonical_csv


def zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("readme.txt", "about")
        archive.writestr(name, content)
    return buffer.getvalue()


def arff_of(table: Table) -> bytes:
    attributes = [f"@ATTRIBUTE {name} REAL" for name in table.header[:-1]]
    attributes.append("@ATTRIBUTE Class {Kecimen, Besni}")
    data = [",".join(row) for row in table.rows]
    return "\r\n".join(["% Çınar", "@RELATION Raisin", *attributes, "@DATA", *data]).encode(
        "cp1254"
    )


def offline(url: str) -> bytes:
    raise OSError(f"no network for {url}")


def test_it_works_from_a_given_file(raisin_table: Table, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(canonical_csv(raisin_table.header, raisin_table.rows))
    table = raisin(given=path, cache=tmp_path / "cache", download=None)
    assert (table.sha256, table.name, table.synthetic) == (RAISIN_SHA256, "raisin", False)
    assert len(table.rows) == 900


def test_it_downloads_a_nested_archive_and_keeps_it(raisin_table: Table, tmp_path: Path) -> None:
    inner = zipped("Raisin_Dataset/Raisin_Dataset.arff", arff_of(raisin_table))
    asked: list[str] = []

    def download(url: str) -> bytes:
        asked.append(url)
        return zipped("Raisin_Dataset.zip", inner)

    cache = tmp_path / "deep" / "cache"
    table = raisin(given=None, cache=cache, download=download)
    assert (table.sha256, table.rows) == (RAISIN_SHA256, raisin_table.rows)
    assert [path.name for path in cache.iterdir()] == ["raisin.csv"]
    assert raisin(given=None, cache=cache, download=download) == table
    assert asked == [RAISIN_SOURCES[0]]


def test_it_asks_the_older_source_when_the_first_fails(raisin_table: Table, tmp_path: Path) -> None:
    def download(url: str) -> bytes:
        return zipped("r.arff", arff_of(raisin_table)) if url == RAISIN_SOURCES[1] else b"<html>"

    assert not raisin(given=None, cache=tmp_path, download=download).synthetic


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>not found</html>",
        zipped("a.arff", b"@attribute a real\n@data\n1\n"),
        zipped("a.arff", b"rubbish"),
        zipped("Raisin.zip", b"rubbish"),
        zipped("a.csv", b"a,b\n1,2\n"),
        zipped("a.arff", arff_of(synthetic_raisin())),
        zipped("a.zip", zipped("b.zip", zipped("c.zip", zipped("d.arff", b"too deep")))),
    ],
)
def test_it_ignores_a_wrong_download(answer: bytes, tmp_path: Path) -> None:
    table = raisin(given=None, cache=tmp_path / "cache", download=lambda url: answer)
    assert table.synthetic
    assert not (tmp_path / "cache").exists()


def test_it_ignores_a_wrong_cache(tmp_path: Path) -> None:
    (tmp_path / "raisin.csv").write_text("Area,Class\n1,Besni\n")
    assert raisin(given=None, cache=tmp_path, download=offline).synthetic


def test_it_stays_offline_when_told(tmp_path: Path) -> None:
    assert raisin(given=None, cache=tmp_path, download=None).name == "raisin-synthetic"


def test_an_unwritable_cache_does_no_harm(raisin_table: Table, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    answer = zipped("r.arff", arff_of(raisin_table))
    assert not raisin(given=None, cache=blocked / "x", download=lambda url: answer).synthetic


def test_it_refuses_a_given_file_with_other_content(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("Area,Class\n1,Besni\n")
    with pytest.raises(DataError, match="is not the Raisin data set"):
        raisin(given=path, cache=tmp_path, download=None)
    with pytest.raises(DataError, match="cannot read"):
        raisin(given=tmp_path / "none.csv", cache=tmp_path, download=None)


def test_fetch_brings_the_body() -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name that http.server looks for
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"grains")

        def log_message(self, *args: object) -> None:
            """Stay quiet."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.handle_request, daemon=True).start()
        assert datasets.fetch(f"http://127.0.0.1:{server.server_port}/") == b"grains"


def test_fetch_gives_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    never = Event()
    monkeypatch.setattr(datasets, "_SECONDS", 0.05)
    monkeypatch.setattr(datasets, "_body", lambda url: b"late" if never.wait(5) else b"")
    with pytest.raises(TimeoutError, match="no answer from https://slow"):
        datasets.fetch("https://slow.example")
    never.set()


def test_fetch_reports_what_went_wrong() -> None:
    with pytest.raises(OSError, match="refused"):
        datasets.fetch("http://127.0.0.1:9/")
    with pytest.raises(OSError, match="no-scheme"):
        datasets.fetch("no-scheme")

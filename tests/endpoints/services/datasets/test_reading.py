"""A worker reads a stored file: into a profile and a plain file, or into a refusal by row and column."""

from __future__ import annotations

import gzip
import io
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from endpoints.errors import InvalidData
from endpoints.models import Dataset
from endpoints.services import leases, working
from endpoints.services.datasets import folders, reading, tables
from endpoints.services.large.pieces import divide
from endpoints.services.large.places import find
from endpoints.services.leases import Lease, LeaseLost
from tests import cast
from tests.endpoints.services.datasets.files import GRAINS, stored

pytestmark = pytest.mark.django_db


def read(folder: Path, text: str | bytes = GRAINS, name: str = "grains.csv") -> Dataset:
    dataset = stored(folder, text, name)
    working.at(Dataset, dataset.pk, reading.read)
    dataset.refresh_from_db()
    return dataset


def files_of(dataset: Dataset) -> set[str]:
    return {path.suffix for path in folders.home().glob(f"{dataset.sha256}*")}


def parquet() -> bytes:
    target = io.BytesIO()
    facts = {"Area": [3.5, None, 5.0, 9.0], "n": [1, 2, 3, 4], "Class": ["b", "k", "b", "k"]}
    pl.DataFrame(facts).write_parquet(target)
    return target.getvalue()


def test_it_works(tmp_path: Path) -> None:
    dataset = read(tmp_path)
    assert (dataset.state, dataset.rows, dataset.format) == ("ready", 4, "csv")
    assert [(c["name"], c["kind"], c["missing"]) for c in dataset.columns] == [
        ("Area", "number", 0),
        ("Colour", "category", 1),
        ("Class", "category", 0),
    ]
    assert dataset.columns[2]["levels"] == [["Besni", 2], ["Kecimen", 2]]
    assert dataset.reading["delimiter"] == ","


@pytest.mark.parametrize("most_in_memory", [10, 1 << 20])
@pytest.mark.parametrize(
    "content",
    [
        GRAINS.encode(),
        gzip.compress(GRAINS.encode()),
        GRAINS.encode("utf-16"),
        GRAINS.replace("Kecimen", "Keçimen").encode("cp1252"),
        b"sep=;\n" + GRAINS.replace(",", ";").encode(),
        GRAINS.replace("\n", "\n\n").encode(),
    ],
    ids=["plain", "gzip", "utf-16", "windows-1252", "sep", "blank lines"],
)
def test_whatever_its_size_a_file_is_read_alike(
    tmp_path: Path, settings: Any, content: bytes, most_in_memory: int
) -> None:
    settings.RAISIN_IN_MEMORY_BYTES = most_in_memory
    dataset = read(tmp_path, content)
    assert (dataset.state, dataset.rows) == ("ready", 4)
    assert [(c["name"], c["distinct"], c["missing"]) for c in dataset.columns] == [
        ("Area", 4, 0),
        ("Colour", 2, 1),
        ("Class", 2, 0),
    ]
    (piece, *_) = divide(find([folders.source(dataset)])).pieces
    assert piece.header == tables.table(dataset).header == ("Area", "Colour", "Class")


def test_the_plain_file_takes_the_place_of_the_upload(tmp_path: Path) -> None:
    dataset = read(tmp_path)
    assert files_of(dataset) == {".csv"}
    assert folders.source(dataset).read_text() == GRAINS


def test_a_table_to_train_on_has_the_checksum_of_what_was_sent(tmp_path: Path) -> None:
    dataset = read(tmp_path, gzip.compress(GRAINS.encode(), mtime=0), "grains.csv.gz")
    table = tables.table(dataset)
    assert (table.sha256, table.name) == (dataset.sha256, "grains.csv.gz")
    assert table.rows[1] == ("4", "", "Kecimen")


def test_other_encodings_are_noted(tmp_path: Path) -> None:
    dataset = read(tmp_path, "Größe;Farbe\n1;rot\n2;grün\n".encode("cp1252"))
    assert [column["name"] for column in dataset.columns] == ["Größe", "Farbe"]
    assert dataset.reading["notes"]


def test_parquet_keeps_its_kinds(tmp_path: Path) -> None:
    dataset = read(tmp_path, parquet(), "grains.parquet")
    assert (dataset.state, dataset.format, dataset.rows) == ("ready", "parquet", 4)
    assert [column["kind"] for column in dataset.columns] == ["number", "number", "category"]
    table = tables.table(dataset)
    assert table.header == ("Area", "n", "Class")
    assert (table.rows[1], table.lines[1]) == (("", "2", "k"), 2)


def test_columns_of_durations_and_bytes_are_left_alone(tmp_path: Path) -> None:
    target = io.BytesIO()
    times = [timedelta(seconds=n) for n in range(4)]
    others = {"took": times, "raw": [b"\xff"] * 4}
    pl.DataFrame({"Area": [3.5, 4.0, 5.0, 9.0], **others, "Class": list("bkbk")}).write_parquet(
        target
    )
    dataset = read(tmp_path, target.getvalue(), "grains.parquet")
    assert (dataset.state, dataset.rows) == ("ready", 4)
    assert [column["feature"] for column in dataset.columns] == [True, False, False, True]
    assert "durations or bytes" in dataset.columns[1]["warning"]
    assert tables.table(dataset).header == ("Area", "Class")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Area,Class\n", "header but no rows"),
        ("Area,Area\n1,2\n", "named twice: Area"),
        ("<!doctype html><html><body>No</body></html>", "a web page"),
        ("Area,Class\n1,Besni\n2\n", "line 3: 1 cells, but the header has 2"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    dataset = read(tmp_path, text)
    assert dataset.state == "failed"
    assert message in dataset.message
    assert files_of(dataset) == {".upload"}


def test_a_refusal_names_row_and_column(tmp_path: Path) -> None:
    dataset = read(tmp_path, "Area,Class\n1,Besni\n2\n3,a,b\n")
    assert [(p["row"], p["code"]) for p in dataset.problems] == [
        (3, "wrong_length"),
        (4, "wrong_length"),
    ]


def test_what_does_not_fit_into_memory_is_counted_all_the_same(
    tmp_path: Path, settings: object
) -> None:
    settings.RAISIN_IN_MEMORY_BYTES = 10  # type: ignore[attr-defined]
    dataset = read(tmp_path, GRAINS + "1,2,3,4\n")
    assert (dataset.state, dataset.rows) == ("ready", 5)
    assert [column["name"] for column in dataset.columns] == ["Area", "Colour", "Class"]
    assert not tables.fits_into_memory(dataset)


def test_nul_in_cells_reaches_no_database(tmp_path: Path) -> None:
    target = io.BytesIO()
    numbers = [*(str(number) for number in range(99)), "n\0"]
    facts = {
        "Area": numbers,
        "Class": ["b\0", "k"] * 50,
        "note": [f"{n}\0" for n in range(100)] * 1,
    }
    pl.DataFrame(facts).write_parquet(target)
    dataset = read(tmp_path, target.getvalue(), "grains.parquet")
    assert (dataset.state, dataset.rows) == ("ready", 100), dataset.message
    area, label, note = dataset.columns
    assert (area["odd"], label["levels"][0], note["examples"][0]) == ("n�", ["b�", 50], "0�")


def test_damaged_parquet_is_refused(tmp_path: Path) -> None:
    dataset = read(tmp_path, b"PAR1" + b"\0" * 50, "x.parquet")
    assert dataset.state == "failed"
    assert "cannot be read" in dataset.message


def test_the_drafts_of_a_killed_worker_go(tmp_path: Path) -> None:
    dataset = stored(tmp_path)
    stray = folders.draft(dataset, "host:1:dead")
    stray.write_text("half")
    stray.with_name(f"{stray.name}.1252").write_text("half of it anew")
    working.at(Dataset, dataset.pk, reading.read)
    assert files_of(dataset) == {".csv"}


def test_a_worker_that_was_thought_dead_changes_nothing(tmp_path: Path) -> None:
    dataset = stored(tmp_path)
    lease = Lease(dataset, "old", lambda: cast.THEN, threading.Event())
    leases.claim(dataset, worker="old", now=cast.THEN)
    Dataset.objects.update(worker="new")
    with pytest.raises(LeaseLost):
        reading.read(dataset, lease)
    assert Dataset.objects.get().state == "reading"


def test_who_lost_the_dataset_moves_no_file_that_was_read(tmp_path: Path) -> None:
    dataset = stored(tmp_path, GRAINS)
    dataset.state = "reading"
    working.at(Dataset, dataset.pk, reading.read)
    with pytest.raises(LeaseLost):
        reading.read(dataset, Lease(dataset, "first", lambda: cast.THEN))
    assert files_of(dataset) == {".csv"}


def test_a_table_that_has_gone_bad_is_refused(tmp_path: Path) -> None:
    dataset = read(tmp_path, parquet(), "grains.parquet")
    folders.source(dataset).write_bytes(b"PAR1")
    with pytest.raises(InvalidData, match=r"grains\.parquet cannot be read"):
        tables.table(dataset)


def test_what_unpacks_to_more_than_four_times_the_limit_is_refused(
    tmp_path: Path, settings: Any
) -> None:
    packed = gzip.compress((GRAINS + "3,red,Besni\n" * 100).encode())
    settings.RAISIN_MAX_FILE_BYTES = 400
    assert read(tmp_path, packed).state == "ready"
    settings.RAISIN_MAX_FILE_BYTES = 200
    dataset = read(tmp_path, gzip.compress((GRAINS + "3,red,Besni\n" * 101).encode()))
    assert (dataset.state, "when it is unpacked" in dataset.message) == ("failed", True)


@pytest.mark.parametrize(
    "content",
    [GRAINS.encode(), parquet(), "Größe,Farbe\n1,rot\n2,grün\n".encode("cp1252")],
    ids=["csv", "parquet", "longer than it came"],
)
def test_a_dataset_whose_end_a_power_cut_undid_is_read_again(
    tmp_path: Path, content: bytes, settings: object
) -> None:
    """The upload is gone by then."""
    settings.RAISIN_MAX_FILE_BYTES = len(content)  # type: ignore[attr-defined]
    dataset = read(tmp_path, content)
    columns, files = dataset.columns, files_of(dataset)
    Dataset.objects.update(state="uploaded", format="csv", reading={}, columns=[], rows=None)
    working.at(Dataset, dataset.pk, reading.read)
    dataset.refresh_from_db()
    assert (dataset.state, dataset.columns) == ("ready", columns)
    assert files_of(dataset) == files


def test_the_file_is_on_the_disk_before_anybody_may_use_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    note = lambda path: synced.append((path.suffix, Dataset.objects.get().state))  # noqa: E731
    monkeypatch.setattr(reading, "sync", note)
    assert read(tmp_path).state == "ready"
    assert synced == [(".draft", "reading"), ("", "reading")]

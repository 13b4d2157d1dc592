"""A Parquet file keeps its columns, and its results are Parquet."""

from __future__ import annotations

import datetime
import io
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from endpoints.errors import InvalidRequest
from endpoints.services.tables import parquet_files, scoring
from endpoints.services.tables.scoring import ScoringPlan
from tests.endpoints.services.tables.files import errors, plan_of, prepared, two_classes


def parquet(**columns: Any) -> bytes:
    file = io.BytesIO()
    pl.DataFrame(columns, strict=False).write_parquet(file)
    return file.getvalue()


def scored(plan: ScoringPlan, folder: Path, chunk_bytes: int = 1 << 20) -> pl.DataFrame:
    parts = []
    for number, chunk in enumerate(scoring.chunks(plan, chunk_bytes=chunk_bytes)):
        parts.append(folder / f"part{number}.parquet")
        parts[-1].write_bytes(chunk.results)
    scoring.join(parts, folder / "results.parquet")
    return pl.read_parquet(folder / "results.parquet")


def test_it_works(tmp_path: Path) -> None:
    given = {
        "Area": [1, 2],
        "Extent": [0.5, 0.6],
        "Colour": ["red", "dark"],
        "when": [datetime.date(2026, 1, 2)] * 2,
    }
    found = scored(plan_of(tmp_path, parquet(**given)), tmp_path)
    report = two_classes().score([[1, 0.5, "red"], [2, 0.6, "dark"]])
    assert found.drop("probability", "label", "version", "error").to_dict(as_series=False) == given
    assert found["probability"].to_list() == report.positive.tolist()
    assert found["label"].to_list() == list(report.labels)
    assert found["version"].to_list() == [3, 3]
    assert found["error"].to_list() == ["", ""]


def test_nul_in_the_name_of_a_column_is_refused(tmp_path: Path) -> None:
    content = parquet(**{"Area": [1], "Ext\0ent": [0.5]})
    with pytest.raises(InvalidRequest, match=r"holds a NUL character: 'Ext\\x00ent'; rename it"):
        prepared(tmp_path, content)


def test_nul_in_a_cell_is_replaced_where_it_is_named(tmp_path: Path) -> None:
    content = parquet(Area=["x\0", "1"], Extent=[0.5, 0.5], Colour=["red", "r\0d"])
    plan = plan_of(tmp_path, content)
    assert [row[:3] for row in errors(plan)] == [["1", "Area", "x�"], ["2", "Colour", "r�d"]]
    [chunk] = scoring.chunks(plan)
    assert "\0" not in "".join(error["problem"] for error in chunk.tally.first_errors)


def test_null_and_nan_are_missing(tmp_path: Path) -> None:
    content = parquet(Area=[1.0, None], Extent=[float("nan"), 0.5], Colour=[None, "red"])
    plan = plan_of(tmp_path, content)
    [chunk] = scoring.chunks(plan)
    assert chunk.answered.rows == [1]
    assert chunk.answered.imputed == (("Extent", "Colour"),)
    assert errors(plan) == [["2", "Area", "", "a value is needed here"]]


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ([True], "expected a number, got 'true'"),
        (["abc"], "expected a number, got 'abc'"),
        ([float("inf")], "expected a finite number up to 1e150 in size, got inf"),
        ([datetime.date(2026, 1, 2)], "expected a number, got '2026-01-02'"),
        ([[1.0]], "expected a number"),
    ],
)
def test_a_cell_that_is_no_number_makes_a_bad_row(
    cells: list[Any], problem: str, tmp_path: Path
) -> None:
    plan = plan_of(tmp_path, parquet(Area=cells, Extent=[0.5], Colour=["red"]))
    assert problem in errors(plan)[0][3]
    found = scored(plan, tmp_path)
    assert found["probability"].to_list() == [None]
    assert found["Area"].to_list() == cells


def test_numbers_as_text_are_read_as_in_a_csv_file(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, parquet(Area=[" 1e3 "], Extent=["NA"], Colour=[" red "]))
    [chunk] = scoring.chunks(plan)
    assert chunk.answered.values == [[1000.0, 0.7, "red"]]


def test_the_answers_are_the_same_in_any_pieces(tmp_path: Path) -> None:
    n = 2_500
    content = parquet(
        Area=[float(i) if i % 7 else None for i in range(n)],
        Extent=[0.5] * n,
        Colour=["red", "dark"] * (n // 2),
    )
    plan = plan_of(tmp_path, content)
    whole, pieces = scored(plan, tmp_path), scored(plan, tmp_path, chunk_bytes=1)
    assert whole.equals(pieces)
    assert [chunk.n_rows for chunk in scoring.chunks(plan, chunk_bytes=1)] == [1_000, 1_000, 500]
    assert scoring.count_rows(plan, lambda: None) == n


def test_the_first_rows_are_shown(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, parquet(Area=[1, None], Extent=[0.5, 1], Colour=["red", "red"]))
    first, second = scoring.first_rows(plan)
    assert first.cells == ["1", "0.5", "red"]
    assert first.probability == two_classes().score([[1, 0.5, "red"]]).positive[0]
    assert (second.cells[0], second.error) == ("", "Area: a value is needed here")


def test_a_few_bytes_cannot_stand_for_endless_rows(tmp_path: Path) -> None:
    content = parquet(Area=[1.0] * 2_000_000)
    assert len(content) < 100_000
    with pytest.raises(InvalidRequest, match="2,000,000 cells"):
        prepared(tmp_path, content, most_bytes=1_000_000)


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no rows"):
        prepared(tmp_path, parquet(Area=[], Extent=[]))


def test_damage_behind_a_good_footer_is_told(tmp_path: Path) -> None:
    content = bytearray(
        parquet(Area=list(range(50_000)), Extent=[0.5] * 50_000, Colour=["red"] * 50_000)
    )
    content[4:2_000] = b"\xff" * 1_996
    plan = plan_of(tmp_path, bytes(content))
    with pytest.raises(InvalidRequest, match="cannot be read"):
        list(scoring.chunks(plan))


def parts_in(folder: Path) -> list[Path]:
    parts = [folder / f"{number}.parquet" for number in range(3)]
    for number, part in enumerate(parts):
        part.write_bytes(parquet(Area=list(range(number * 100, number * 100 + 100))))
    return parts


def test_parts_are_joined_the_same_while_somebody_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_files, "_SECONDS", 0.0)
    parts, lives = parts_in(tmp_path), []
    scoring.join(parts, tmp_path / "one")
    scoring.join(parts, tmp_path / "looked", lambda: lives.append(1))
    assert pl.read_parquet(tmp_path / "looked")["Area"].to_list() == list(range(300))
    assert (tmp_path / "looked").read_bytes() == (tmp_path / "one").read_bytes()


class Late:
    """A pool that begins only when nobody waits any more."""

    ended: list[type[BaseException]] = []

    def __init__(self, size: int) -> None:
        self.work: Any = None

    def __enter__(self) -> Late:
        return self

    def submit(self, *work: Any, **how: Any) -> Any:
        self.work = partial(*work, **how)

    def __exit__(self, *raised: object) -> None:
        try:
            self.work()
        except BaseException as error:
            self.ended.append(type(error))


def test_joining_ends_where_a_sign_of_life_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancelled() -> None:
        raise LookupError

    monkeypatch.setattr(parquet_files, "ThreadPoolExecutor", Late)
    monkeypatch.setattr(parquet_files, "wait", lambda *_, **__: SimpleNamespace(not_done=True))
    with pytest.raises(LookupError):
        scoring.join(parts_in(tmp_path), tmp_path / "whole", cancelled)
    assert Late.ended == [InterruptedError]


def test_what_is_wrong_with_a_part_is_told_while_somebody_looks(tmp_path: Path) -> None:
    (tmp_path / "half").write_bytes(b"PAR1")
    with pytest.raises(parquet_files.UNREADABLE):
        scoring.join([tmp_path / "half"], tmp_path / "whole", lambda: None)

"""Training by pieces: what a training in memory finds in the same rows, whatever the pieces."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from endpoints.services.large import surveying, training
from mlcore import evaluate, newton
from mlcore.datasets import read_csv
from mlcore.encoding import Encoder
from mlcore.errors import DataError
from mlcore.features import fill, infer_columns, learn_fills, read_cells, read_target
from mlcore.history import Iteration
from mlcore.settings import NewtonSettings
from mlcore.split import splitmix64
from mlcore.training import TrainingSpec
from tests.endpoints.services.large.files import SPEC, forest, here, theta_of, trained, write_parts


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("large")


@pytest.fixture(scope="module")
def parts(folder: Path) -> list[Path]:
    return write_parts(folder / "parts", forest(), [1000, 1001])


@pytest.fixture(scope="module")
def result(folder: Path, parts: list[Path]) -> training.TrainingResult:
    return trained(parts, folder)


def test_it_works(result: training.TrainingResult) -> None:
    assert result.report.converged
    assert result.classifier.schema.names == ("height", "girth", "leaf")
    assert result.classifier.classes == ("oak", "fir")
    assert result.n_train + result.n_validation == 3000
    assert result.n_validation == pytest.approx(600, abs=80)
    assert result.validation.accuracy > 0.65


def test_it_finds_the_coefficients_of_the_same_rows_in_memory(
    folder: Path, result: training.TrainingResult
) -> None:
    forest().write_csv(folder / "whole.csv")
    table = read_csv(folder / "whole.csv")
    validates = splitmix64(np.arange(3000), SPEC.seed) < np.uint64(SPEC.test_size * 2.0**64)
    rows = np.flatnonzero(~validates)
    kinds = infer_columns(table, ["height", "girth", "leaf"])
    cells = read_cells(kinds, table)
    schema = learn_fills(kinds, cells, rows)
    columns = fill(schema, cells).take(rows)
    encoder = Encoder.fit(schema, columns)
    y = read_target(table, target="kind", classes=("oak", "fir"))[rows]
    expected = newton(encoder.transform(columns), y, settings=NewtonSettings(lambda_=0.01))
    assert result.classifier.schema == schema
    assert result.classifier.encoder.means == pytest.approx(encoder.means, rel=1e-12)
    assert result.report.theta == pytest.approx(expected.theta, abs=1e-6)


def test_the_same_files_give_the_same_bytes(
    folder: Path, parts: list[Path], result: training.TrainingResult
) -> None:
    again = trained(parts, folder)
    assert theta_of(again) == theta_of(result)
    assert again.analysis.to_dict() == result.analysis.to_dict()
    assert again.dataset_sha256 == result.dataset_sha256


def test_pieces_decide_nothing_but_the_last_digits(
    folder: Path, result: training.TrainingResult
) -> None:
    (whole,) = write_parts(folder / "one", forest(), [])
    found = trained([whole], folder, piece_bytes=7_000)
    assert found.report.theta == pytest.approx(result.report.theta, abs=1e-9)
    assert found.holdout.rows == result.holdout.rows
    assert found.classifier.schema == result.classifier.schema


def test_parquet_gives_the_same_as_text(
    folder: Path, parts: list[Path], result: training.TrainingResult
) -> None:
    (folder / "parquet").mkdir()
    forest().write_parquet(folder / "parquet" / "a.parquet")
    found = trained([folder / "parquet"], folder)
    assert found.report.theta == pytest.approx(result.report.theta, abs=1e-9)
    assert found.holdout.rows == result.holdout.rows


@pytest.fixture(scope="module")
def kinds(folder: Path) -> Path:
    """Forests with columns of many kinds, of which the last three are opaque."""
    flags = [k % 3 == 0 for k in range(400)]
    frame = forest(400).with_columns(
        pl.col("leaf").cast(pl.Categorical),
        pl.Series("evergreen", flags),
        pl.Series("grade", ["AB"[k % 2] for k in range(400)], dtype=pl.Enum(["B", "A"])),
        pl.Series("scan", [b"1"] * 400),
        pl.Series("rings", [[1, 2]] * 400),
        pl.Series("age", [1] * 400).cast(pl.Duration("us")),
    )
    frame.write_parquet(folder / "kinds.parquet")
    return folder / "kinds.parquet"


def test_parquet_columns_of_any_kind_mean_what_they_mean_in_memory(
    folder: Path, kinds: Path
) -> None:
    found = trained([kinds], folder)
    plain = pl.read_parquet(kinds).drop("scan", "rings", "age")
    plain.write_csv(folder / "kinds.csv")
    assert found.classifier.schema == trained([folder / "kinds.csv"], folder).classifier.schema
    levels = {column.name: column.levels for column in found.classifier.schema.columns}
    assert levels["evergreen"] == ("false", "true")
    assert levels["grade"] == ("A", "B")


def test_a_flag_may_be_the_target(folder: Path, kinds: Path) -> None:
    spec = TrainingSpec(target="evergreen", lambda_=0.01)
    assert trained([kinds], folder, spec=spec).classifier.classes == ("false", "true")


@pytest.mark.parametrize(
    "spec", [replace(SPEC, columns=("height", "scan")), TrainingSpec(target="rings")]
)
def test_an_opaque_column_is_none(folder: Path, kinds: Path, spec: TrainingSpec) -> None:
    with pytest.raises(DataError, match=r'no column "(scan|rings)" in kinds\.parquet'):
        trained([kinds], folder, spec=spec)


def test_files_behind_an_address_train(folder: Path, result: training.TrainingResult) -> None:
    import fsspec

    content = forest().write_csv()
    fsspec.filesystem("memory").pipe("/raisin-training/a.csv", content.encode())
    found = trained(["memory://raisin-training/a.csv"], folder)
    assert found.report.theta == pytest.approx(result.report.theta, abs=1e-9)


def test_its_holdout_gives_its_report(result: training.TrainingResult) -> None:
    assert evaluate(result.classifier, result.holdout) == result.validation
    assert result.holdout.header == ("height", "girth", "leaf", "kind")


def test_each_iteration_is_told(folder: Path, parts: list[Path]) -> None:
    seen: list[Iteration] = []
    data = training.DataSource(files=parts)
    training.train(SPEC, data, engine=here(folder), on_iteration=seen.append)
    assert [row.number for row in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].validation_loss is not None


def test_nothing_is_left_of_the_scratch_files(folder: Path, result: object) -> None:
    assert list((folder / "scratch").iterdir()) == []


def test_large_data_are_sampled_and_it_says_so(
    folder: Path,
    parts: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    result: training.TrainingResult,
) -> None:
    monkeypatch.setattr(training, "MOST_TRAINING", 500)
    monkeypatch.setattr(training, "MOST_VALIDATION", 200)
    monkeypatch.setattr(training, "MOST_ANALYSED", (300, 100))
    found = trained(parts, folder)
    assert 400 < found.train.n <= 500
    assert len(found.holdout.rows) <= 200
    assert found.n_train == result.n_train
    assert found.report.converged
    assert f"of {found.n_train:,} training rows (the analysis: 300)" in found.report.message
    assert "All training rows were solved for" in found.provenance.solver["message"]


def test_a_sample_is_the_same_rows_whatever_the_pieces(
    folder: Path, parts: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "MOST_VALIDATION", 50)
    one, other = trained(parts, folder), trained(parts, folder, piece_bytes=3_000)
    assert one.holdout.rows == other.holdout.rows
    assert len(one.holdout.rows) <= 50


@pytest.mark.parametrize(
    "spec",
    [
        replace(SPEC, class_weight="balanced"),
        replace(SPEC, lambda_="auto"),
        replace(SPEC, lambda_=0.0),
        replace(SPEC, threshold="f1", calibration="platt"),
        replace(SPEC, solver="gd", lr="auto", momentum="nesterov", epochs=150),
        TrainingSpec(target="leaf", lambda_=0.1),
        replace(SPEC, columns=("leaf", "height")),
    ],
)
def test_every_setting_of_a_training_in_memory_holds(
    folder: Path, parts: list[Path], spec: TrainingSpec
) -> None:
    found = trained(parts, folder, spec=spec)
    assert found.report.converged
    assert found.spec.target == spec.target


def test_a_column_is_judged_by_all_pieces(folder: Path) -> None:
    """Nine in ten cells are numbers in the first piece, and few of all are."""
    frame = forest(600).with_columns(
        code=pl.Series([str(k % 5) if k < 100 else "abcde"[k % 5] for k in range(600)])
    )
    files = write_parts(folder / "codes", frame, [100])
    found = trained(files, folder, spec=replace(SPEC, columns=("height", "code")))
    column = found.classifier.schema.columns[1]
    assert column.levels == ("0", "1", "2", "3", "4", "a", "b", "c", "d", "e")


@pytest.mark.parametrize(
    ("row", "cell", "message"),
    [
        (
            1500,
            ("height", "tall"),
            r"part-2\.csv, line 501, column height: expected a number, got 'ta",
        ),
        (1000, ("kind", ""), r"part-1\.csv, line 2, column kind: the target is missing"),
        (
            2999,
            ("height", "1e200"),
            r"part-2\.csv, line 2000, column height: expected a finite number",
        ),
    ],
)
def test_a_bad_cell_is_named_by_file_line_and_column(
    folder: Path, row: int, cell: tuple[str, str], message: str
) -> None:
    column, text = cell
    cells = forest().cast(pl.String)[column].to_list()
    cells[row] = text
    frame = forest().with_columns(pl.Series(column, cells))
    files = write_parts(folder / "bad", frame, [1000, 1001])
    with pytest.raises(DataError, match=message):
        trained(files, folder)


def test_a_file_goes_by_the_name_that_people_gave_it(folder: Path) -> None:
    (kept,) = write_parts(folder / "named", forest(100), [])
    kept.write_text(kept.read_text().replace("needle", "needle,", 1))
    with pytest.raises(DataError, match=r"my trees, line \d+: 5 cells"):
        trained([kept], folder, name="my trees")


def test_a_bad_row_of_parquet_is_named_by_its_number(folder: Path) -> None:
    heights = [*forest(100)["height"].cast(pl.String), "tall"]
    frame = pl.concat([forest(100), forest(1)]).with_columns(pl.Series("height", heights))
    frame.write_parquet(folder / "odd.parquet")
    with pytest.raises(DataError, match=r"odd\.parquet, row 101, column height: expected a number"):
        trained([folder / "odd.parquet"], folder)


def test_a_ragged_row_is_named_by_file_and_line(folder: Path) -> None:
    files = write_parts(folder / "ragged", forest(300), [100])
    lines = files[1].read_text().splitlines()
    lines[151] = "1,2"
    files[1].write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"part-1\.csv, line 152: 2 cells, but the header has 4"):
        trained(files, folder, piece_bytes=1000)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (SPEC, r'column "code" has (\d+) different texts'),
        (TrainingSpec(target="code"), r'target "code" has (\d+) different values'),
    ],
)
def test_texts_are_not_counted_without_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch, spec: TrainingSpec, message: str
) -> None:
    """Some pieces have words alone, some digits alone: both are counted, until there are too many."""
    codes = [f"{'c' if k // 300 % 2 else ''}{k}" for k in range(3000)]
    (whole,) = write_parts(folder / "words", forest().with_columns(code=pl.Series(codes)), [])
    monkeypatch.setattr(surveying, "_MOST_TEXTS", 200)
    with pytest.raises(DataError, match=message) as caught:
        trained([whole], folder, spec=spec)
    n_counted = int(re.search(message, str(caught.value))[1])
    assert 200 <= n_counted < 400


@pytest.mark.parametrize("piece_bytes", [500, 2**24])
@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("tall,100,broad,fir", "column height: expected a number, got 'tall'"),
        ("20,100,broad,", "column kind: the target is missing"),
        ("1,2", "2 cells, but the header has 4"),
        ('1,2,"broad"x\ry,fir', "3 cells, but the header has 4"),
    ],
)
def test_a_bad_row_is_named_by_its_true_line(
    folder: Path, row: str, message: str, piece_bytes: int
) -> None:
    header, *rows = forest(300).write_csv().splitlines()
    rows[20:20] = ["", " ", ""]
    rows[40] = '20,100,"sc\nale",oak'
    rows[60] = "21,100,broad,oak\r"
    rows[250:250] = [row]
    text = "\n".join(["", "sep=,", "", header, *rows])
    (folder / "gaps.csv").write_bytes(text.encode())
    line = text[: text.index(row)].count("\n") + 1
    assert line == 256
    with pytest.raises(DataError, match=rf"gaps\.csv, line {line}[:,] {message}"):
        trained([folder / "gaps.csv"], folder, piece_bytes=piece_bytes)


def test_the_lines_of_many_bad_rows_are_named(folder: Path) -> None:
    files = write_parts(folder / "many", forest(300), [100])
    for file, bad in zip(files, ([30, 90], [5, 150]), strict=True):
        lines = file.read_text().splitlines()
        for number in bad:
            lines[number - 1] = "1,2"
        lines[2] = f"\n{lines[2]}"
        file.write_text("\n".join(lines))
    with pytest.raises(DataError) as caught:
        trained(files, folder, piece_bytes=1000)
    assert [cell.row for cell in caught.value.cells] == [31, 91, 6, 151]
    assert [cell.message[:10] for cell in caught.value.cells] == ["part-0.csv"] * 2 + [
        "part-1.csv"
    ] * 2


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (replace(SPEC, target="kin"), 'no column "kin" in part-0.csv; did you mean "kind"'),
        (replace(SPEC, columns=("kind",)), "is the target"),
        (replace(SPEC, columns=("heigt",)), 'did you mean "height"'),
        (replace(SPEC, positive="yew"), '"yew" is no class of "kind"'),
        (replace(SPEC, test_size=1.0), "test_size must lie between 0 and 1"),
        (TrainingSpec(target="leaf", threshold="f1"), "without a threshold"),
        (TrainingSpec(target="height"), "reads like a quantity or an identifier"),
    ],
)
def test_it_refuses(folder: Path, parts: list[Path], spec: TrainingSpec, message: str) -> None:
    with pytest.raises(DataError, match=message):
        trained(parts, folder, spec=spec)


def test_it_refuses_a_column_without_a_name(folder: Path) -> None:
    (folder / "nameless.csv").write_text(",height,kind\n1,2,fir\n")
    with pytest.raises(DataError, match=r"column 1 of nameless\.csv has no name"):
        trained([folder / "nameless.csv"], folder)


def test_it_refuses_a_class_of_one_row(folder: Path) -> None:
    trees = forest(100)
    frame = pl.concat([trees.filter(kind="fir"), trees.filter(kind="oak")[:1]])
    files = write_parts(folder / "single", frame, [])
    with pytest.raises(DataError, match="has a single row"):
        trained(files, folder)

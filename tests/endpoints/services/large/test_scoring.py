"""Scoring by pieces: the batch engine's answers, written piece by piece and never twice."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from endpoints.services.large import scratch
from endpoints.services.large.engines import Blocks, EngineSpec
from endpoints.services.large.scoring import LargeScoring, Scored, score
from endpoints.services.tables import scoring as batch
from endpoints.services.tables.plans import ScoringPlan
from endpoints.services.tables.reading import prepare
from mlcore.classifier import Classifier
from mlcore.errors import DataError
from tests.endpoints.services.large.files import forest, here, trained, write_parts


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scoring")


@pytest.fixture(scope="module")
def classifier(folder: Path) -> Classifier:
    return trained(write_parts(folder / "training", forest(500), []), folder).classifier


def scored(
    files: list[Path],
    out: Path,
    classifier: Classifier,
    *,
    piece_bytes: int = 2000,
    engine: EngineSpec | None = None,
    version: int = 3,
) -> Scored:
    job = LargeScoring(
        files=files,
        out=out,
        classifier=classifier,
        version=version,
        sha256="of the model",
        piece_bytes=piece_bytes,
        piece_rows=100,
    )
    return score(job, engine=engine or here(out.parent))


def by_the_batch_engine(source: Path, classifier: Classifier, scratch: Path) -> bytes:
    reading = prepare(source, scratch, name="x", most_bytes=10**8, alive=lambda: None)
    columns = {name: name for name in classifier.schema.names}
    plan = ScoringPlan(scratch, reading, classifier, columns, version=3)
    return batch.header(plan) + b"".join(chunk.results for chunk in batch.chunks(plan))


def with_bad_rows(path: Path) -> Path:
    """500 rows, of which number 100 has no number, 300 an unknown leaf and 301 a line break."""
    lines = forest(500, seed=2).write_csv().splitlines()
    lines[100] = "tall,100,broad,fir"
    lines[300] = "20,100,palm,oak"
    lines[301] = '20,100,broad,"o\nak"'
    path.write_text("\n".join(lines))
    return path


def test_one_file_is_what_the_batch_engine_writes(tmp_path: Path, classifier: Classifier) -> None:
    source = with_bad_rows(tmp_path / "trees.csv")
    found = scored([source], tmp_path / "scores.csv", classifier)
    assert (found.rows, found.bad) == (500, 2)
    assert len(found.parts) > 5
    written = (tmp_path / "scores.csv").read_bytes()
    assert written == by_the_batch_engine(source, classifier, tmp_path / "plain") + b"\n"
    assert not (tmp_path / "scores.csv.parts").exists()


def test_errors_of_one_file_are_counted_through(tmp_path: Path, classifier: Classifier) -> None:
    scored([with_bad_rows(tmp_path / "trees.csv")], tmp_path / "scores.csv", classifier)
    text = (tmp_path / "scores.errors.csv").read_text()
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["row", "column", "value", "problem"]
    assert [row[:3] for row in rows[1:]] == [["100", "height", "tall"], ["300", "leaf", "palm"]]


def test_a_folder_takes_a_part_for_every_piece(tmp_path: Path, classifier: Classifier) -> None:
    files = write_parts(tmp_path / "in", forest(300, seed=3), [100])
    found = scored(files, tmp_path / "out", classifier)
    assert found.rows == 300
    rows = 0
    for part in found.parts:
        frame = pl.read_csv(tmp_path / "out" / part.file)
        assert frame.columns[-4:] == ["probability", "label", "version", "error"]
        assert len(frame) == part.rows
        rows += len(frame)
    assert rows == 300
    assert {part.source for part in found.parts} == {"part-0.csv", "part-1.csv"}


def test_parquet_comes_back_as_parquet(tmp_path: Path, classifier: Classifier) -> None:
    frame = forest(350, seed=4)
    frame.write_parquet(tmp_path / "trees.parquet")
    found = scored([tmp_path / "trees.parquet"], tmp_path / "scores.parquet", classifier)
    answers = pl.read_parquet(tmp_path / "scores.parquet")
    assert (found.rows, len(found.parts)) == (350, 4)
    assert answers.select(frame.columns).equals(frame)
    assert answers["probability"].is_between(0, 1).all()


def test_a_model_scores_the_file_that_it_was_trained_on(tmp_path: Path) -> None:
    frame = forest(400).with_columns(
        pl.col("leaf").cast(pl.Categorical),
        pl.Series("evergreen", [k % 3 == 0 for k in range(400)]),
        pl.Series("scan", [b"\xff"] * 400),
    )
    frame.write_parquet(tmp_path / "trees.parquet")
    classifier = trained([tmp_path / "trees.parquet"], tmp_path).classifier
    found = scored([tmp_path / "trees.parquet"], tmp_path / "scores.parquet", classifier)
    assert (found.rows, found.bad) == (400, 0)
    assert pl.read_parquet(tmp_path / "scores.parquet").select(frame.columns).equals(frame)


def test_a_name_with_brackets_is_no_pattern(tmp_path: Path, classifier: Classifier) -> None:
    forest(9).write_parquet(tmp_path / "d [1].parquet")
    forest(30, seed=2).write_parquet(tmp_path / "d 1.parquet")
    scored([tmp_path / "d [1].parquet"], tmp_path / "scores.parquet", classifier)
    answers = pl.read_parquet(tmp_path / "scores.parquet")
    assert answers["height"].to_list() == forest(9)["height"].to_list()


def test_a_column_without_a_name_is_left_alone(tmp_path: Path, classifier: Classifier) -> None:
    (tmp_path / "a.csv").write_text(",height,girth,leaf\n7,20,100,broad\n")
    scored([tmp_path / "a.csv"], tmp_path / "scores.csv", classifier)
    header, row = (tmp_path / "scores.csv").read_text().splitlines()
    assert header == ",height,girth,leaf,probability,label,version,error"
    assert row.startswith("7,20,100,broad,0.")


class Crash(Exception):
    pass


def test_after_a_crash_only_what_is_not_done_is_done(
    tmp_path: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = with_bad_rows(tmp_path / "trees.csv")
    whole = scored([source], tmp_path / "whole", classifier)
    seen = 0

    def crash() -> None:
        nonlocal seen
        seen += 1
        # The pieces are found by as many looks at the file.
        if seen == len(whole.parts) + 4:
            raise Crash

    engine = EngineSpec("blocks", tmp_path / "scratch", alive=crash)
    with pytest.raises(Crash):
        scored([source], tmp_path / "out", classifier, engine=engine)
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*")}
    assert kept
    found = scored([source], tmp_path / "out", classifier)
    assert 0 < found.skipped < len(found.parts)
    assert (found.rows, found.bad) == (whole.rows, whole.bad)
    for name, modified in kept.items():
        assert (tmp_path / "out" / name).stat().st_mtime_ns == modified
    for part in found.parts:
        again = (tmp_path / "out" / part.file).read_bytes()
        assert again == (tmp_path / "whole" / part.file).read_bytes()


def test_a_part_that_was_only_begun_is_written_anew(tmp_path: Path, classifier: Classifier) -> None:
    """Killed between results and the word that they are there, or in the middle of them."""
    source = with_bad_rows(tmp_path / "trees.csv")
    found = scored([source], tmp_path / "out", classifier)
    first = tmp_path / "out" / found.parts[0].file
    content = first.read_bytes()
    first.write_bytes(content[:100])
    first.with_suffix(".json").unlink()
    draft = tmp_path / "out" / ".part-00000.csv.draft"
    draft.write_bytes(content[:50])
    again = scored([source], tmp_path / "out", classifier)
    assert again.skipped == len(found.parts) - 1
    assert not draft.exists()
    assert first.read_bytes() == content


@pytest.mark.parametrize("change", [{"version": 4}, {"piece_bytes": 3000}])
def test_a_folder_of_another_job_is_refused(
    tmp_path: Path, classifier: Classifier, change: dict[str, int]
) -> None:
    source = with_bad_rows(tmp_path / "trees.csv")
    scored([source], tmp_path / "out", classifier)
    with pytest.raises(DataError, match="holds the results of other files, another version"):
        scored([source], tmp_path / "out", classifier, **change)


def test_parts_that_were_scored_by_another_rule_for_missing_cells_are_not_kept(
    tmp_path: Path, classifier: Classifier
) -> None:
    source = with_bad_rows(tmp_path / "trees.csv")
    scored([source], tmp_path / "out", classifier)
    strict = replace(classifier, schema=classifier.schema.without_fills())
    assert strict.schema != classifier.schema
    with pytest.raises(DataError, match="another rule for missing cells"):
        scored([source], tmp_path / "out", strict)


@pytest.mark.parametrize("name", ["out", "scores.csv"])
def test_a_place_that_another_process_writes_to_is_refused(
    name: str, tmp_path: Path, classifier: Classifier
) -> None:
    source, out = with_bad_rows(tmp_path / "trees.csv"), tmp_path / name
    with scratch.alone(tmp_path / f".{name}.lock"):
        with pytest.raises(DataError, match=f"another process is writing to .*{name}"):
            scored([source], out, classifier)
        assert not out.exists()
        assert scored([source], tmp_path / "other", classifier).rows == 500
    assert scored([source], out, classifier).rows == 500
    assert not (tmp_path / f".{name}.lock").exists()


def test_a_missing_column_is_refused_with_a_suggestion(
    tmp_path: Path, classifier: Classifier
) -> None:
    (tmp_path / "a.csv").write_text("heigth,girth,leaf\n1,2,broad\n")
    with pytest.raises(DataError, match='no column "height" in a.csv; is it "heigth"'):
        scored([tmp_path / "a.csv"], tmp_path / "out", classifier)


def test_an_engine_gives_a_sign_of_life_before_each_piece(tmp_path: Path) -> None:
    seen: list[int] = []
    engine = Blocks(tmp_path, alive=lambda: seen.append(1))
    assert list(engine.map(abs, [-1, -2, 3])) == [1, 2, 3]
    assert len(seen) == 3


def test_parts_are_put_away_so_that_a_kill_leaves_none_that_looks_done(
    tmp_path: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[str] = []
    unlink = Path.unlink

    def noted(path: Path, missing_ok: bool = False) -> None:
        if path.parent.name == "out.csv.parts" and not path.name.startswith("."):
            gone.append(path.name)
        unlink(path, missing_ok=missing_ok)

    source = with_bad_rows(tmp_path / "rows.csv")
    monkeypatch.setattr(Path, "unlink", noted)
    n = len(scored([source], tmp_path / "out.csv", classifier).parts)
    assert n > 1
    assert all(name.endswith(".json") for name in gone[:n])
    assert gone[-1] == "job.json"

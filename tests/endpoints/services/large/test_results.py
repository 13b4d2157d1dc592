"""Where results may go: to a free place, or to what this job wrote before; never over anything else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from endpoints.services.large import scoring
from endpoints.services.large.engines import EngineSpec
from endpoints.services.large.scoring import LargeScoring, Scored, score
from mlcore.classifier import Classifier
from mlcore.errors import DataError
from tests.endpoints.services.large.files import forest, here, trained, write_parts


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    folder = tmp_path_factory.mktemp("results")
    return trained(write_parts(folder / "training", forest(500), []), folder).classifier


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """30 rows, of which the first has no number."""
    lines = forest(30, seed=2).write_csv().splitlines()
    lines[1] = "tall,100,broad,fir"
    (tmp_path / "trees.csv").write_text("\n".join(lines))
    return tmp_path / "trees.csv"


def scored(
    source: str | Path | list[Path],
    out: str | Path,
    classifier: Classifier,
    *,
    version: int = 3,
    engine: EngineSpec | None = None,
) -> Scored:
    files = source if isinstance(source, list) else [source]
    job = LargeScoring(files=files, out=out, classifier=classifier, version=version, sha256="x")
    return score(job, engine=engine or here(Path(out).parent))


def test_the_same_job_may_write_its_results_anew(
    trees: Path, tmp_path: Path, classifier: Classifier
) -> None:
    out, errors = tmp_path / "scores.csv", tmp_path / "scores.errors.csv"
    scored(trees, out, classifier)
    before = out.read_bytes(), errors.read_bytes()
    out.unlink()
    assert scored(trees, out, classifier).bad == 1
    assert scored(trees, out, classifier).bad == 1
    assert (out.read_bytes(), errors.read_bytes()) == before


def test_the_files_to_score_are_never_the_results(
    trees: Path, tmp_path: Path, classifier: Classifier
) -> None:
    content = trees.read_bytes()
    linked = tmp_path / "linked.csv"
    linked.symlink_to(trees)
    for out in (trees, linked):
        with pytest.raises(DataError, match=rf"{out} is one of the files to score"):
            scored(trees, out, classifier)
    as_errors = trees.rename(tmp_path / "scores.errors.csv")
    with pytest.raises(DataError, match=rf"{as_errors} is one of the files to score"):
        scored(as_errors, tmp_path / "scores.csv", classifier)
    assert as_errors.read_bytes() == content


def test_a_folder_of_files_to_score_takes_no_results(
    trees: Path, tmp_path: Path, classifier: Classifier
) -> None:
    with pytest.raises(DataError, match=rf"{tmp_path} holds a file to score, trees\.csv"):
        scored(trees, tmp_path, classifier, engine=here(tmp_path / "scratch"))
    assert not list(tmp_path.glob("part-*"))


def test_a_folder_of_links_to_files_to_score_takes_no_results(
    trees: Path, tmp_path: Path, classifier: Classifier
) -> None:
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / "a.csv").symlink_to(trees)
    with pytest.raises(DataError, match=rf"{folder} holds a file to score, a\.csv"):
        scored(folder / "a.csv", folder, classifier, engine=here(tmp_path / "scratch"))


@pytest.mark.parametrize("name", ["scores.csv", "scores.errors.csv", "scores.csv.parts/mine"])
def test_what_is_there_already_is_left_alone(
    name: str, trees: Path, tmp_path: Path, classifier: Classifier
) -> None:
    mine = tmp_path / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    named = mine.parent if mine.parent != tmp_path else mine
    with pytest.raises(DataError, match=rf"{named} is there already, and is not what this job"):
        scored(trees, tmp_path / "scores.csv", classifier)
    assert mine.read_text() == "mine"


def test_a_folder_in_use_is_refused_and_an_empty_one_is_taken(
    trees: Path, tmp_path: Path, classifier: Classifier
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").write_text("mine")
    with pytest.raises(DataError, match=rf"{out} is there already"):
        scored(trees, out, classifier)
    assert [file.name for file in out.iterdir()] == ["mine"]
    (out / "mine").rename(out / ".job.json.draft")
    assert scored(trees, out, classifier).rows == 30
    (tmp_path / "plain").write_text("mine")
    with pytest.raises(DataError, match="is there already"):
        scored(trees, tmp_path / "plain", classifier)


def test_results_of_another_job_or_that_were_changed_are_left_alone(
    trees: Path, tmp_path: Path, classifier: Classifier
) -> None:
    out = tmp_path / "scores.csv"
    scored(trees, out, classifier)
    before = out.read_bytes()
    with pytest.raises(DataError, match="is there already"):
        scored(trees, out, classifier, version=4)
    assert out.read_bytes() == before
    out.write_bytes(before + b"a line of mine\n")
    with pytest.raises(DataError, match="is there already"):
        scored(trees, out, classifier)
    assert out.read_bytes().endswith(b"a line of mine\n")


def test_killed_before_its_parts_were_put_away_it_goes_on(
    trees: Path, tmp_path: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, rmdir = tmp_path / "scores.csv", Path.rmdir

    def killed(folder: Path) -> None:
        if folder.name == "scores.csv.parts":
            raise KeyboardInterrupt
        rmdir(folder)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rmdir", killed)
        with pytest.raises(KeyboardInterrupt):
            scored(trees, out, classifier)
    assert out.exists()
    assert scored(trees, out, classifier).rows == 30
    assert not (tmp_path / "scores.csv.parts").exists()


@pytest.fixture
def address() -> Iterator[str]:
    """A folder behind a URL, of this process alone."""
    memory = pytest.importorskip("fsspec").filesystem("memory")
    yield "memory://raisin-results/scores"
    memory.store.clear()


def _files_at(address: str) -> dict[str, bytes]:
    memory = pytest.importorskip("fsspec").filesystem("memory")
    return {path.rpartition("/")[2]: memory.cat_file(path) for path in memory.find(address)}


def test_an_address_takes_the_same_parts_as_a_folder(
    trees: Path, tmp_path: Path, classifier: Classifier, address: str
) -> None:
    engine = here(tmp_path / "scratch")
    local = scored(trees, tmp_path / "scores", classifier, engine=engine)
    remote = scored(trees, f"{address}/", classifier, engine=engine)
    assert remote.out == address
    assert remote.parts == local.parts
    found = _files_at(address)
    assert "part-00000.errors.csv" in found
    assert found == {path.name: path.read_bytes() for path in (tmp_path / "scores").iterdir()}


def test_parts_that_are_at_an_address_are_not_scored_again(
    trees: Path, tmp_path: Path, classifier: Classifier, address: str
) -> None:
    engine = here(tmp_path)
    scored(trees, address, classifier, engine=engine)
    again = scored(trees, address, classifier, engine=engine)
    assert (again.skipped, again.rows) == (1, 30)
    with pytest.raises(DataError, match=rf"{address} holds the results of other files"):
        scored(trees, address, classifier, version=4, engine=engine)


def test_an_address_that_is_in_use_is_left_alone(
    trees: Path, tmp_path: Path, classifier: Classifier, address: str
) -> None:
    memory = pytest.importorskip("fsspec").filesystem("memory")
    memory.pipe_file(f"{address}/trees.csv", trees.read_bytes())
    for source in (trees, f"{address}/trees.csv"):
        with pytest.raises(
            DataError, match=rf"{address} (is there already|holds a file to score, trees\.csv)"
        ):
            scored(source, address, classifier, engine=here(tmp_path))
    assert list(_files_at(address)) == ["trees.csv"]


def test_an_address_takes_no_single_file(
    trees: Path, tmp_path: Path, classifier: Classifier, address: str
) -> None:
    with pytest.raises(DataError, match=r"scores\.csv: at an address results are parts"):
        scored(trees, f"{address}.csv", classifier, engine=here(tmp_path))
    assert _files_at(address) == {}


@pytest.fixture
def no_piece_is_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    def scored_in_vain(*_arguments: object) -> None:
        raise AssertionError("a piece is scored in vain")

    monkeypatch.setattr(scoring, "score_piece", scored_in_vain)


@pytest.mark.usefixtures("no_piece_is_scored")
def test_files_with_unlike_delimiters_are_not_put_into_one(
    tmp_path: Path, classifier: Classifier
) -> None:
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    forest(30).write_csv(files[0])
    forest(30).write_csv(files[1], separator=";")
    message = (
        r"the cells of b\.csv are parted by ';', those of a\.csv by ',': .* let them go to a fo"
    )
    with pytest.raises(DataError, match=message):
        scored(files, tmp_path / "scores.csv", classifier)
    assert not (tmp_path / "scores.csv.parts").exists()


@pytest.mark.usefixtures("no_piece_is_scored")
def test_parquet_files_of_unlike_columns_are_not_put_into_one(
    tmp_path: Path, classifier: Classifier
) -> None:
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    forest(30).write_parquet(files[0])
    forest(30).cast({"girth": pl.Float32}).write_parquet(files[1])
    message = r'column "girth" is Float32 in b\.parquet, but Float64 in a\.parquet: .* to a folder'
    with pytest.raises(DataError, match=message):
        scored(files, tmp_path / "scores.parquet", classifier)
    assert not (tmp_path / "scores.parquet.parts").exists()


def test_a_folder_takes_the_results_of_unlike_files(tmp_path: Path, classifier: Classifier) -> None:
    text, tables = (
        [tmp_path / name for name in ("a.csv", "b.csv")],
        [tmp_path / "a.pq", tmp_path / "b.pq"],
    )
    forest(30).write_csv(text[0])
    forest(30).write_csv(text[1], separator=";")
    forest(30).write_parquet(tables[0])
    forest(30).cast({"girth": pl.Float32}).write_parquet(tables[1])
    for files, out in ((text, "of text"), (tables, "of tables")):
        assert scored(files, tmp_path / out, classifier).rows == 60


def test_an_unlike_file_without_rows_is_no_hindrance(
    tmp_path: Path, classifier: Classifier
) -> None:
    text, tables = (
        [tmp_path / name for name in ("a.csv", "b.csv")],
        [tmp_path / "a.pq", tmp_path / "b.pq"],
    )
    forest(0).write_csv(text[0], separator=";")
    forest(30).write_csv(text[1])
    forest(0).cast({"girth": pl.Null}).write_parquet(tables[0])
    forest(30).write_parquet(tables[1])
    for files, out in ((text, "scores.csv"), (tables, "scores.pq")):
        assert scored(files, tmp_path / out, classifier).rows == 30


@pytest.mark.usefixtures("no_piece_is_scored")
@pytest.mark.parametrize(
    ("given", "out", "message"),
    [
        (
            "trees.csv",
            "scores.parquet",
            r"CSV, and scores\.parquet is .* a Parquet file; .* \.csv, or",
        ),
        (
            "trees.pq",
            "scores.csv",
            r"Parquet, and scores\.csv is .* a CSV file; .* in \.parquet, or",
        ),
    ],
)
def test_a_name_of_the_other_format_is_refused(
    given: str, out: str, message: str, trees: Path, tmp_path: Path, classifier: Classifier
) -> None:
    forest(30).write_parquet(tmp_path / "trees.pq")
    with pytest.raises(DataError, match=rf"{given} is scored as {message} a folder"):
        scored(tmp_path / given, tmp_path / out, classifier)
    assert not (tmp_path / f"{out}.parts").exists()

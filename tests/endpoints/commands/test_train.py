"""`manage.py train`: any CSV with a target column; bad data is named by line and column."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from endpoints.models import AlgorithmVersion, Endpoint, Metric, Run
from endpoints.services import leases
from mlcore import artifact

pytestmark = pytest.mark.django_db

TREES = "\n".join(
    ["height,leaf,kind"]
    + [
        f"{10 + i % 7}.5,{'needle' if i % 3 else 'broad'},{'fir' if i % 3 else 'oak'}"
        for i in range(60)
    ]
    + ["30.0,broad,fir", ",needle,oak"]
)


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    path = tmp_path / "trees.csv"
    path.write_text(TREES)
    return path


def train(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    call_command("train", *arguments, "--json")
    facts = json.loads(capsys.readouterr().out)
    assert isinstance(facts, dict)
    return facts


def test_it_works(trees: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = train(capsys, "--data", str(trees), "--target", "kind")
    assert (facts["experiment"], facts["endpoint"], facts["version"]) == ("trees", "trees", None)
    assert (facts["solver"], facts["converged"]) == ("newton", True)
    assert facts["dataset"]["rows"] == 62
    assert facts["dataset"]["features"] == 2
    assert facts["dataset"]["synthetic"] is False
    assert 0 <= facts["metrics"]["validation"]["accuracy"] <= 1
    assert facts["iterations"] >= 1


@pytest.mark.parametrize("more", [(), ("--engine", "blocks")], ids=["in memory", "by pieces"])
def test_a_packed_file_gives_what_the_plain_one_does(
    trees: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    plain = train(capsys, "--data", str(trees), "--target", "kind", *more)
    packed = trees.with_name("trees.csv.gz")
    packed.write_bytes(gzip.compress(trees.read_bytes()))
    found = train(capsys, "--data", str(packed), "--target", "kind", *more)
    assert (found["endpoint"], found["dataset"]) == ("trees", plain["dataset"])
    assert found["artifact"]["sha256"] == plain["artifact"]["sha256"]


def test_it_closes_what_a_killed_command_left(
    trees: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = train(capsys, "--data", str(trees), "--target", "kind")
    long_ago = timezone.now() - timedelta(hours=1)
    left = Run.objects.filter(pk=first["run_id"])
    left.update(state="running", worker="host:1:x", heartbeat_at=long_ago, ended_at=None)
    train(capsys, "--data", str(trees), "--target", "kind")
    assert (left.get().state, left.get().message) == ("failed", leases.ENDED_BEFORE)


def test_its_artefact_loads_by_what_it_says(
    trees: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = train(capsys, "--data", str(trees), "--target", "kind")["artifact"]
    classifier = artifact.load(Path(settings.RAISIN_HOME) / said["path"], sha256=said["sha256"])
    assert classifier.schema.names == ("height", "leaf")


def test_the_same_training_gives_the_same_artefact(
    trees: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (train(capsys, "--data", str(trees), "--target", "kind") for _ in range(2))
    assert first["run_id"] != second["run_id"]
    assert first["artifact"]["sha256"] == second["artifact"]["sha256"]


def test_it_registers_and_makes_the_endpoint(
    trees: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--data", str(trees), "--target", "kind", "--endpoint", "forest", "--register")
    assert [train(capsys, *options)["version"] for _ in range(2)] == [1, 2]
    endpoint = Endpoint.objects.get(slug="forest")
    assert not endpoint.public_predictions
    assert set(endpoint.versions.values_list("status", flat=True)) == {"testing"}


def test_it_tracks_the_run(trees: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = train(
        capsys,
        "--data",
        str(trees),
        "--target",
        "kind",
        "--solver",
        "gd",
        "--epochs",
        "30",
        "--lr",
        "0.1",
        "--experiment",
        "woods",
        "--name",
        "slow",
    )
    run = Run.objects.get(pk=facts["run_id"])
    assert (run.name, run.experiment.name, run.state) == ("slow", "woods", "finished")
    assert (facts["epochs"], run.iterations) == (30, 30)
    params = dict(run.params.values_list("key", "value"))
    assert (params["epochs"], params["lr"], params["lambda_"]) == ("30", "0.1", "0.01")
    curve = Metric.objects.series().filter(run=run, key="epoch_train_loss")
    assert curve.count() == 30
    assert facts["converged"] is False
    assert "not converged" in run.message


def test_an_unconverged_version_says_so(trees: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(capsys, "--data", str(trees), "--target", "kind", "--solver", "gd", "--register")
    assert AlgorithmVersion.objects.get().converged is False


def test_columns_positive_class_and_threshold_can_be_chosen(
    trees: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = train(
        capsys,
        "--data",
        str(trees),
        "--target",
        "kind",
        "--columns",
        "height",
        "--positive",
        "fir",
        "--threshold",
        "0.3",
    )
    classifier = artifact.load(Path(settings.RAISIN_HOME) / facts["artifact"]["path"], sha256=None)
    assert classifier.schema.names == ("height",)
    assert classifier.classes == ("oak", "fir")
    assert classifier.threshold == 0.3


def failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, dict[str, Any]]:
    with pytest.raises(CommandError) as raised:
        call_command("train", *arguments, "--json")
    return str(raised.value), json.loads(capsys.readouterr().out)


def test_it_names_a_bad_row_by_line_and_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(TREES.replace("10.5,broad", "tall,broad", 1))
    message, facts = failure(capsys, "--data", str(path), "--target", "kind")
    assert "line 2, column height" in message
    assert facts["errors"][0]["line"] == 2
    assert facts["errors"][0]["column"] == "height"
    assert Run.objects.get().state == "failed"


def test_it_suggests_the_target_that_was_meant(
    trees: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message, facts = failure(capsys, "--data", str(trees), "--target", "knd")
    assert "kind" in message
    assert facts["code"] in {"data_error", "invalid_data"}


@pytest.mark.parametrize(
    ("option", "value"),
    [("--lambda", "-1"), ("--test-size", "1.5"), ("--test-size", "nan"), ("--lr", "0")],
)
def test_it_refuses_settings_that_make_no_sense(
    trees: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    message, _ = failure(
        capsys, "--data", str(trees), "--target", "kind", "--solver", "gd", option, value
    )
    assert message


@pytest.mark.parametrize(
    ("solver", "option", "belongs"),
    [
        ("newton", ("--lr", "0.1"), "--lr belongs to --solver gd; newton has no use for it."),
        ("newton", ("--epochs", "5"), "--epochs belongs to --solver gd"),
        ("newton", ("--momentum", "none"), "--momentum belongs to --solver gd"),
        ("gd", ("--trees", "5"), "--trees belongs to --solver random_forest or extra_trees"),
        ("newton", ("--max-depth", "3"), "--max-depth belongs to --solver decision_tree or"),
        ("decision_tree", ("--trees", "5"), "decision_tree has no use for it"),
        ("random_forest", ("--lambda", "1"), "--lambda belongs to --solver newton or gd"),
    ],
)
def test_it_refuses_an_option_of_another_solver(
    trees: Path,
    capsys: pytest.CaptureFixture[str],
    solver: str,
    option: tuple[str, str],
    belongs: str,
) -> None:
    asked = ("--data", str(trees), "--target", "kind", "--solver", solver, *option)
    assert belongs in failure(capsys, *asked)[0]
    assert not Run.objects.exists()


def test_it_refuses_a_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    message, facts = failure(capsys, "--data", "no.csv", "--target", "kind")
    assert "There is no file" in message
    assert facts["code"] == "invalid_request"


def test_it_asks_for_the_column_to_predict(trees: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message, facts = failure(capsys, "--data", str(trees))
    assert "--target COLUMN" in message
    assert facts["error"] in message


def test_it_refuses_a_reserved_endpoint(trees: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message, _ = failure(
        capsys, "--data", str(trees), "--target", "kind", "--endpoint", "runs", "--register"
    )
    assert "taken by the REST interface" in message


def test_it_says_the_result_to_a_person(trees: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("train", "--data", str(trees), "--target", "kind")
    said = capsys.readouterr().out
    assert "validation accuracy" in said
    assert "converged" in said


def test_it_keeps_the_positive_class_of_the_endpoint(
    trees: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rarer class would be another one in new data; callers go on to mean the same by 1."""
    options = ("--data", str(trees), "--target", "kind", "--endpoint", "forest", "--register")
    first = train(capsys, *options, "--positive", "fir")
    assert first["classes"] == ["oak", "fir"]
    AlgorithmVersion.objects.update(status="production")
    assert train(capsys, *options)["classes"] == ["oak", "fir"]
    assert train(capsys, *options, "--positive", "oak")["classes"] == ["fir", "oak"]


def test_it_refuses_an_unusable_endpoint_before_it_trains(
    trees: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--data", str(trees), "--target", "kind", "--endpoint", "Bad Slug", "--register")
    assert "no usable slug" in failure(capsys, *options)[0]
    assert not Run.objects.exists()


def test_it_refuses_names_that_are_too_long(
    trees: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ("--name", "--experiment"):
        message, _ = failure(capsys, "--data", str(trees), "--target", "kind", option, "x" * 121)
        assert "121 characters" in message


def test_it_refuses_class_names_that_the_log_cannot_keep(
    trees: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trees.write_text(trees.read_text().replace("oak", "o" * 201))
    message, _ = failure(capsys, "--data", str(trees), "--target", "kind")
    assert "201 characters" in message


@pytest.mark.parametrize("cell", ["1,5", "-12,25", "12,345", "1,234,567"])
def test_it_names_numbers_with_commas(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], cell: str
) -> None:
    path = tmp_path / "commas.csv"
    rows = [f"{cell};{'a' if i % 2 else 'b'}" for i in range(30)]
    path.write_text("\n".join(["x;y", *rows]))
    message, _ = failure(capsys, "--data", str(path), "--target", "y")
    assert "decimal point" in message


def test_it_names_a_class_of_a_single_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lonely.csv"
    path.write_text("x,y\n" + "\n".join(f"{i},p" for i in range(9)) + "\n9,q\n")
    message, _ = failure(capsys, "--data", str(path), "--target", "y")
    assert 'class "q" of "y" has a single row' in message


def test_many_files_are_trained_on_piece_by_piece(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header, *lines = TREES.splitlines()
    for number in range(2):
        part = [header, *lines[number::2]]
        (tmp_path / f"trees-{number}.csv").write_text("\n".join(part))
    options = ("--target", "kind", "--endpoint", "forest", "--register")
    facts = train(capsys, "--data", f"{tmp_path}/trees-*.csv", *options)
    assert (facts["dataset"]["rows"], facts["dataset"]["features"]) == (62, 2)
    assert (facts["version"], facts["converged"]) == (1, True)
    run = Run.objects.get(pk=facts["run_id"])
    assert (run.dataset_name, run.state) == ("trees-*.csv", "finished")
    assert len(run.dataset_sha256) == 64
    assert Metric.objects.summary().filter(run=run, key="validation_accuracy").exists()


def test_one_file_gives_the_same_coefficients_by_pieces(
    trees: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (
        train(capsys, "--data", str(trees), "--target", "kind", "--engine", "blocks")
        for _ in range(2)
    )
    assert first["artifact"]["sha256"] == second["artifact"]["sha256"]


def test_a_training_by_pieces_that_fails_says_why(
    trees: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trees.write_text(TREES.replace("30.0,broad", "tall,broad"))
    message, facts = failure(capsys, "--data", str(trees), "--target", "kind", "--engine", "blocks")
    assert "trees.csv, line 62, column height: expected a number, got 'tall'" in message
    assert facts["errors"][0]["column"] == "height"
    assert Run.objects.get().state == "failed"


def test_forests_are_not_grown_by_pieces(trees: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--target", "kind", "--engine", "blocks", "--solver", "random_forest")
    message, _ = failure(capsys, "--data", str(trees), *options)
    assert "grown in memory" in message

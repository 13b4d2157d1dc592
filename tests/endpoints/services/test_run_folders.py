"""Runs come in from folders: as they were, once, and never over one that is there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sklearn.tree import DecisionTreeClassifier

from endpoints.errors import InvalidTransition
from endpoints.models import Endpoint, Experiment, Metric, Run
from endpoints.services import lifecycle
from endpoints.services.run_folders import ImportResult
from endpoints.services.transitions import Decision
from mlcore import NotConvergedWarning, TrainingSpec, train
from mlcore.from_sklearn import classifier_from_sklearn, provenance_of
from mlcore.tracking import start_run
from tests import cast
from tests.endpoints.services.candidates import verdicts
from tests.endpoints.services.folders import (
    edit,
    facts,
    failed,
    files_below,
    only,
    outcomes,
    tracked,
    untrained,
)

pytestmark = pytest.mark.django_db


def test_it_works(tmp_path: Path) -> None:
    folder = tracked(tmp_path)
    assert only(tmp_path) == ImportResult("imported", folder.path, folder.id)
    run = Run.objects.get(pk=folder.id)
    assert (run.name, run.experiment.name, run.state) == ("tracked", "grains", "finished")
    assert (run.started_at, run.ended_at) == (folder.started_at, folder.ended_at)
    assert (run.solver, run.converged, run.iterations) == ("newton", True, folder.model.iterations)
    assert (run.dataset_rows, run.dataset_features, run.synthetic) == (900, 7, True)
    assert (run.message, run.created_by) == (folder.message, None)
    assert facts(run)["params"] == folder.params
    assert facts(run)["metrics"] == {(p.name, p.step, p.value) for p in folder.metrics}
    assert facts(run)["files"] == files_below(folder.artifacts)
    assert Metric.objects.series().filter(run=run).exists()


def test_an_imported_run_serves(tmp_path: Path, raisin: Endpoint) -> None:
    folder = tracked(tmp_path)
    assert outcomes(tmp_path) == ["imported"]
    run = Run.objects.get(pk=folder.id)
    version = lifecycle.register(run=run, endpoint=raisin, actor=cast.SYSTEM, now=cast.THEN)
    decision = Decision(actor=cast.SYSTEM, now=cast.THEN + timedelta(days=1), reason=cast.REASON)
    lifecycle.stage(version=version, decision=decision)
    found = verdicts(version)
    assert {found[code] for code in ("smoke", "schema", "metric", "convergence")} == {"pass"}
    lifecycle.promote(version=version, decision=decision)
    raisin.refresh_from_db()
    answer = cast.prediction(raisin)
    assert answer.version == version


def test_repeating_it_changes_nothing(tmp_path: Path) -> None:
    folder = tracked(tmp_path)
    assert outcomes(tmp_path) == ["imported"]
    before = facts(Run.objects.get(pk=folder.id))
    assert only(tmp_path) == ImportResult("unchanged", folder.path, folder.id)
    assert facts(Run.objects.get(pk=folder.id)) == before
    assert Metric.objects.filter(run=folder.id).count() == len(folder.metrics)


def test_it_puts_all_into_one_experiment_where_told(tmp_path: Path) -> None:
    failed(tmp_path)
    assert outcomes(tmp_path, experiment="from the laptop") == ["imported"]
    assert Run.objects.get().experiment.name == "from the laptop"
    assert outcomes(tmp_path) == ["unchanged"]
    assert not Experiment.objects.filter(name="grains").exists()


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("name", lambda path: edit(path / "meta.json", name="renamed")),
        ("message", lambda path: edit(path / "meta.json", message="another")),
        (
            "started_at",
            lambda path: edit(path / "meta.json", started_at="2026-01-01T00:00:00+00:00"),
        ),
        ("params", lambda path: edit(path / "params.json", depth="4")),
        ("tags", lambda path: edit(path / "tags.json", new="tag")),
        ("metrics", lambda path: (path / "metrics.jsonl").write_text("")),
        ("files", lambda path: (path / "artifacts" / "later.txt").write_text("x")),
    ],
)
def test_a_run_that_changed_since_is_reported_and_kept(
    tmp_path: Path, what: str, change: Callable[[Path], object]
) -> None:
    folder = failed(tmp_path)
    assert outcomes(tmp_path) == ["imported"]
    before = facts(Run.objects.get(pk=folder.id))
    change(folder.path)
    result = only(tmp_path)
    assert (result.outcome, result.run_id) == ("changed", folder.id)
    assert f"with other {what}, and runs are never overwritten" in result.reason
    assert facts(Run.objects.get(pk=folder.id)) == before


def test_a_running_run_is_left_for_later(tmp_path: Path) -> None:
    folder = untrained(tmp_path, end=lambda run: None)
    result = only(tmp_path)
    assert result.outcome == "skipped"
    assert f"still running (process {os.getpid()} on " in result.reason
    edit(folder.path / "meta.json", process=None)
    assert only(tmp_path).reason.startswith("it is still running; ")
    assert not Run.objects.exists()


def test_an_interrupted_run_has_failed(tmp_path: Path) -> None:
    folder = untrained(tmp_path, end=lambda run: None)
    process = json.loads((folder.path / "meta.json").read_text())["process"]
    edit(folder.path / "meta.json", process=process | {"started": "1"})
    assert outcomes(tmp_path) == ["imported"]
    run = Run.objects.get()
    assert (run.state, run.ended_at) == ("failed", None)
    assert run.message.startswith("interrupted: ")
    assert outcomes(tmp_path) == ["unchanged"]


def test_a_finished_run_without_a_model_comes_in_but_becomes_no_version(
    tmp_path: Path, raisin: Endpoint
) -> None:
    untrained(tmp_path, end=lambda run: run.finish())
    assert only(tmp_path).outcome == "imported"
    kept = Run.objects.get(state="finished", artifact_sha256="")
    assert not kept.has_model
    with pytest.raises(InvalidTransition, match="tracked without a model"):
        lifecycle.register(run=kept, endpoint=raisin, actor=cast.SYSTEM, now=cast.THEN)


def test_a_failed_run_comes_with_its_model(tmp_path: Path) -> None:
    with pytest.raises(KeyError), start_run(tmp_path) as run:
        run.log_model(train(TrainingSpec(target="Class"), cast.raisin_rows()))
        raise KeyError("afterwards")
    assert outcomes(tmp_path) == ["imported"]
    kept = Run.objects.get()
    assert (kept.state, kept.message) == ("failed", "KeyError: 'afterwards'")
    assert kept.artifact_sha256


def test_a_run_may_have_no_files(tmp_path: Path) -> None:
    folder = failed(tmp_path)
    folder.artifacts.rmdir()
    assert outcomes(tmp_path) == ["imported"]


def test_drafts_of_a_killed_process_stay_behind(tmp_path: Path) -> None:
    folder = failed(tmp_path)
    (folder.artifacts / ".said.txt.draft").write_text("half")
    assert outcomes(tmp_path) == ["imported"]
    assert facts(Run.objects.get())["files"] == {}


def test_an_unconverged_model_stays_one(tmp_path: Path) -> None:
    with pytest.warns(NotConvergedWarning):
        tracked(tmp_path, solver="gd", epochs=2)
    assert outcomes(tmp_path) == ["imported"]
    assert Run.objects.get().converged is False


def test_a_model_that_was_trained_elsewhere_comes_in(tmp_path: Path, raisin: Endpoint) -> None:
    table = cast.raisin_rows()
    rows = [[float(cell) for cell in row[:-1]] for row in table.rows]
    model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(rows, table.cells("Class"))
    classifier = classifier_from_sklearn(model, table, target="Class", positive="Besni")
    with start_run(tmp_path, experiment="grains") as tracked_run:
        provenance = provenance_of(model, classifier, table)
        tracked_run.log_classifier(classifier, provenance, dataset="grains", holdout=table)
    assert outcomes(tmp_path) == ["imported"]
    run = Run.objects.get(pk=tracked_run.id)
    assert (run.solver, run.dataset_name) == ("DecisionTreeClassifier", "grains")
    version = lifecycle.register(run=run, endpoint=raisin, actor=cast.SYSTEM, now=cast.THEN)
    found = verdicts(version)
    assert (found["smoke"], found["schema"]) == ("pass", "pass")


def test_what_a_training_found_out_comes_along(tmp_path: Path) -> None:
    result = train(TrainingSpec(target="Class"), cast.raisin_rows())
    with start_run(tmp_path) as run:
        run.log_training(result)
    assert outcomes(tmp_path) == ["imported"]
    kept = Run.objects.get(pk=run.id)
    assert kept.analysis.report == json.loads(json.dumps(result.analysis.to_dict()))
    assert outcomes(tmp_path) == ["unchanged"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "cannot be read"),
        ("[]", "holds no object"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": [1e999]}', "1e999 is no number"),
        ('{"slots": [7]}', r"look at slots[0]"),
        ('{"slots": []}', "look at lambda_"),
        ('{"a": ["\\u0000"]}', "holds NUL"),
        ('{"\\ud800": 1}', "a lone surrogate"),
        ('{"a": ' * 40 + "1" + "}" * 40, "more than 32 levels"),
        ("{" + " " * (4 * 2**20), "more than 4 MiB"),
    ],
)
def test_an_analysis_that_cannot_be_read_is_named(
    tmp_path: Path, content: str, reason: str
) -> None:
    folder = tracked(tmp_path)
    (folder.artifacts / "analysis.json").write_text(content)
    result = only(tmp_path)
    assert result.outcome == "broken"
    assert reason in result.reason
    assert not Run.objects.filter(pk=folder.id).exists()

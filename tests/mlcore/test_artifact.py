from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlcore import (
    ArtifactError,
    NotConvergedWarning,
    TrainingResult,
    TrainingSpec,
    artifact,
    describe,
    load,
    save,
    smoke_test,
    synthetic_raisin,
    table_rows,
    train,
)
from tests.mlcore.conftest import mixed_table

FILES = ["SHA256SUMS", "model.json", "weights.npz"]


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_it_works(trained_mixed: TrainingResult, tmp_path: Path) -> None:
    sha256 = save(trained_mixed, tmp_path / "models" / "v1")
    loaded = load(tmp_path / "models" / "v1", sha256=sha256)
    original = trained_mixed.classifier
    rows = table_rows(original, mixed_table())
    assert loaded.score(rows).scores.tobytes() == original.score(rows).scores.tobytes()
    for name in ("target", "classes", "schema", "threshold", "profile", "converged"):
        assert getattr(loaded, name) == getattr(original, name), name
    assert loaded.estimator.base.tolist() == original.estimator.base.tolist()
    assert loaded.estimator.weights.tolist() == original.estimator.weights.tolist()


def test_a_bundle_is_three_files_and_nothing_is_left_over(
    trained: TrainingResult, tmp_path: Path
) -> None:
    sha256 = save(trained, tmp_path / "v1")
    assert sorted(content(tmp_path / "v1")) == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]
    assert sha256 == hashlib.sha256((tmp_path / "v1" / "model.json").read_bytes()).hexdigest()


def test_training_twice_gives_the_same_bytes(trained_mixed: TrainingResult, tmp_path: Path) -> None:
    save(trained_mixed, tmp_path / "a")
    save(train(TrainingSpec(target="Class", lambda_=0.1), mixed_table()), tmp_path / "b")
    assert content(tmp_path / "a") == content(tmp_path / "b")


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="needs the sha256sum command")
def test_the_usual_tool_verifies_it(trained: TrainingResult, tmp_path: Path) -> None:
    save(trained, tmp_path / "v1")
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=tmp_path / "v1",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "model.json: OK\nweights.npz: OK\n")


def test_numpy_reads_the_weights(trained: TrainingResult, tmp_path: Path) -> None:
    save(trained, tmp_path / "v1")
    with np.load(tmp_path / "v1" / "weights.npz", allow_pickle=False) as arrays:
        assert sorted(arrays) == ["intercept", "means", "scales", "weights"]
        assert arrays["weights"].tolist() == trained.classifier.estimator.weights.tolist()


def test_the_description_tells_the_whole_story(trained: TrainingResult, tmp_path: Path) -> None:
    sha256 = save(trained, tmp_path / "v1")
    about = describe(tmp_path / "v1", sha256=sha256)
    assert about["format"] == "raisin-classifier"
    assert about["format_version"] == 3
    assert about["classes"] == ["Kecimen", "Besni"]
    assert [feature["name"] for feature in about["features"]] == list(
        trained.classifier.schema.names
    )
    written = json.loads(json.dumps(trained.validation.as_dict()))
    assert about["metrics"]["validation"] == written
    assert about["spec"]["columns"] == list(trained.classifier.schema.names)
    assert about["solver"]["message"] == trained.report.message
    assert about["rows"] == {"train": 720, "validation": 180}
    assert about["synthetic"] is True
    assert about["dataset_sha256"] == synthetic_raisin().sha256
    assert about["versions"]["numpy"] == np.__version__


def test_model_json_is_canonical(trained: TrainingResult, tmp_path: Path) -> None:
    save(trained, tmp_path / "v1")
    text = (tmp_path / "v1" / "model.json").read_text("ascii")
    keys = list(json.loads(text))
    assert keys == sorted(keys)
    assert text.startswith("{\n")
    assert text.endswith("}\n")
    assert "\r" not in text
    assert len(text.splitlines()) == len(keys) + 2


def test_saving_the_same_again_is_fine(trained: TrainingResult, tmp_path: Path) -> None:
    assert save(trained, tmp_path / "v1") == save(trained, tmp_path / "v1")


def test_it_refuses_to_replace_another_bundle(trained: TrainingResult, tmp_path: Path) -> None:
    save(trained, tmp_path / "v1")
    before = content(tmp_path / "v1")
    other = replace(trained, classifier=replace(trained.classifier, threshold=0.6))
    with pytest.raises(ArtifactError, match="already holds another bundle"):
        save(other, tmp_path / "v1")
    assert content(tmp_path / "v1") == before


def test_it_refuses_a_directory_that_holds_something_else(
    trained: TrainingResult, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ArtifactError, match=r"cannot read model\.json"):
        save(trained, tmp_path)
    assert sorted(content(tmp_path)) == ["notes.txt"]


@pytest.mark.parametrize("same", [True, False])
def test_two_writers_at_once_agree_or_one_is_refused(
    trained: TrainingResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    faster = replace(
        trained, classifier=replace(trained.classifier, threshold=0.5 if same else 0.6)
    )
    sync = artifact.sync

    def while_we_write(path: Path) -> None:
        monkeypatch.setattr(artifact, "sync", sync)
        save(faster, tmp_path / "v1")

    monkeypatch.setattr(artifact, "sync", while_we_write)
    if same:
        save(trained, tmp_path / "v1")
    else:
        with pytest.raises(ArtifactError, match="already holds another bundle"):
            save(trained, tmp_path / "v1")
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]
    assert load(tmp_path / "v1").threshold == faster.classifier.threshold


def test_it_says_when_it_cannot_write(trained: TrainingResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArtifactError, match="cannot write the bundle"):
        save(trained, tmp_path / "file" / "v1")


def test_a_replaced_threshold_is_saved(trained: TrainingResult, tmp_path: Path) -> None:
    changed = replace(trained, classifier=replace(trained.classifier, threshold=0.25))
    save(changed, tmp_path / "v1")
    assert load(tmp_path / "v1").threshold == 0.25


def test_an_unconverged_model_says_so_for_ever(tmp_path: Path) -> None:
    with pytest.warns(NotConvergedWarning):
        result = train(TrainingSpec(target="Class", solver="gd"), synthetic_raisin())
    save(result, tmp_path / "v1")
    assert not load(tmp_path / "v1").converged
    assert "not converged" in describe(tmp_path / "v1")["solver"]["message"]


def test_the_smoke_test_scores_the_probes(
    trained: TrainingResult, trained_mixed: TrainingResult, tmp_path: Path
) -> None:
    for name, result in (("a", trained), ("b", trained_mixed)):
        sha256 = save(result, tmp_path / name)
        report = smoke_test(tmp_path / name, sha256=sha256)
        assert report.rows == 8
        assert report.largest_difference == 0.0


def test_probes_are_varied_and_no_training_rows(
    trained_mixed: TrainingResult, tmp_path: Path
) -> None:
    save(trained_mixed, tmp_path / "v1")
    probes = describe(tmp_path / "v1")["probes"]
    known = [list(row.values()) for row in table_rows(trained_mixed.classifier, mixed_table())]
    assert len({json.dumps(row) for row in probes["rows"]}) == 8
    assert not any(row in known for row in probes["rows"])
    assert {row[2] for row in probes["rows"]} == {"dark", "gold", "red", None}
    assert max(probes["probabilities"]) - min(probes["probabilities"]) > 0.3

"""What a bundle can hold, and which version of the format it says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlcore import ArtifactError, TrainingResult, artifact, calibration, describe, load, smoke_test
from mlcore.artifact import save_classifier
from mlcore.bundle import Provenance, encode, format_version
from mlcore.canonical import canonical_json
from mlcore.classifier import Classifier
from mlcore.estimators import Estimator, Logistic
from mlcore.rowscoring import RowReport, RowScorer, row_scorer
from tests.mlcore.classifiers import (
    MIXED,
    classifier,
    logistic,
    provenance,
    softmax,
    some_rows,
    stump,
)
from tests.mlcore.test_artifact_refusals import change, rearrange

OLD = Path(__file__).parent / "bundles" / "v1"
NEW = {
    "softmax": softmax(5),
    "tree": stump(2, 5),
    "trees": stump(3, 5),
}


def made(estimator: Estimator) -> Classifier:
    return classifier(estimator, columns=MIXED)


@pytest.fixture(params=NEW)
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    save_classifier(made(NEW[request.param]), provenance(), tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.mark.parametrize("estimator", NEW.values(), ids=NEW)
def test_it_works(estimator: Estimator, tmp_path: Path) -> None:
    original = made(estimator)
    sha256 = save_classifier(original, provenance(), tmp_path / "v1")
    loaded = load(tmp_path / "v1", sha256=sha256)
    rows = some_rows(MIXED)
    assert loaded.score(rows).scores.tobytes() == original.score(rows).scores.tobytes()
    for name in ("target", "classes", "schema", "threshold", "profile", "converged"):
        assert getattr(loaded, name) == getattr(original, name), name
    assert (loaded.estimator.family, loaded.estimator.unit) == (estimator.family, estimator.unit)
    assert smoke_test(tmp_path / "v1", sha256=sha256).largest_difference == 0.0


@pytest.mark.parametrize("estimator", NEW.values(), ids=NEW)
def test_saving_twice_gives_the_same_bytes(estimator: Estimator) -> None:
    assert encode(made(estimator), provenance()) == encode(made(estimator), provenance())


def test_a_calibration_is_kept(tmp_path: Path) -> None:
    y, p = np.array([0.0, 1.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.3, 0.4, 0.6, 0.9])
    for kind, fitted in (
        ("platt", calibration.fit_platt(y, p)),
        ("isotonic", calibration.fit_isotonic(y, p)),
    ):
        original = replace(made(logistic(5)), calibration=fitted)
        save_classifier(original, provenance(), tmp_path / kind)
        loaded = load(tmp_path / kind)
        rows = some_rows(MIXED)
        assert loaded.score(rows).positive.tolist() == original.score(rows).positive.tolist()
        assert smoke_test(tmp_path / kind).largest_difference == 0.0
        assert describe(tmp_path / kind)["format_version"] == 3
        change(tmp_path / kind, "calibration", {"kind": "magic"})
        with pytest.raises(ArtifactError):
            load(tmp_path / kind)


class TestVersionOne:
    """Bundles written before there was anything but two classes and weights."""

    @pytest.mark.parametrize(
        ("name", "sha256"),
        [
            ("grains", "81c9a764fce86f08d105733c5943b2df7b8bb1cc0c3a69f87469d1118990e952"),
            ("mixed", "5c65821e7d0be13ffdd04dce7d4d1a48e83962f8a081e0c49c5d28c3572924ba"),
        ],
    )
    def test_still_load(self, name: str, sha256: str) -> None:
        assert smoke_test(OLD / name, sha256=sha256).rows == 8
        found = load(OLD / name, sha256=sha256)
        assert isinstance(found.estimator, Logistic)
        assert found.calibration is None

    @pytest.mark.parametrize("name", ["grains", "mixed"])
    def test_are_written_to_the_byte_as_they_were(self, name: str) -> None:
        old = describe(OLD / name)
        about = Provenance(**{key: old[key] for key in Provenance.__dataclass_fields__})
        model, weights = encode(load(OLD / name), about)
        document = json.loads(model)
        found, stored = (d["probes"].pop("probabilities") for d in (document, dict(old)))
        # exp may differ in its last bit on another processor.
        assert found == pytest.approx(stored, abs=1e-15)
        document["probes"]["probabilities"] = stored
        assert canonical_json(document) == (OLD / name / "model.json").read_bytes()
        assert weights == (OLD / name / "weights.npz").read_bytes()

    def test_can_be_calibrated_and_are_of_version_two_then(self, tmp_path: Path) -> None:
        platt = calibration.fit_platt([0, 1, 0, 1], [0.1, 0.2, 0.8, 0.9])
        calibrated = replace(load(OLD / "grains"), calibration=platt)
        save_classifier(calibrated, provenance(), tmp_path / "v2")
        assert describe(tmp_path / "v2")["format_version"] == 2
        assert load(tmp_path / "v2").profile == calibrated.profile
        assert smoke_test(tmp_path / "v2").largest_difference == 0.0


def test_a_profile_in_detail_says_version_three(trained: TrainingResult) -> None:
    assert format_version(trained.classifier) == 3
    assert {format_version(made(estimator)) for estimator in NEW.values()} == {3}


def test_the_description_of_three_classes(tmp_path: Path) -> None:
    original = made(softmax(5))
    save_classifier(original, provenance(), tmp_path / "v1")
    about = describe(tmp_path / "v1")
    assert (about["format_version"], about["family"], about["unit"]) == (3, "softmax", "log_odds")
    assert about["classes"] == ["Besni", "Kecimen", "Rumi"]
    assert about["threshold"] is about["calibration"] is None
    assert about["arrays"]["weights"] == {"type": "<f8", "shape": [3, 5]}
    assert about["intercept"] == original.estimator.base.tolist()
    assert len(about["coefficients"]) == 15
    assert about["coefficients"][1]["class"] == "Kecimen"
    assert np.array(about["probes"]["probabilities"]).shape == (8, 3)
    assert about["metrics"] == provenance().metrics


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format_version", 1),
        ("format_version", 2),
        ("format_version", 4),
        ("format_version", True),
        ("family", "logistic"),
        ("family", "pickle"),
        ("family", ["softmax"]),
        ("family", ...),
        ("unit", "euro"),
        ("calibration", {}),
        ("calibration", 7),
        ("arrays", {}),
        ("arrays", []),
        ("arrays.means", ...),
        ("arrays.means.shape", [4]),
        ("arrays.means.shape", [-1]),
        ("arrays.means.shape", [5.0]),
        ("arrays.means.shape", [10**9] * 30),
        ("arrays.means.type", "|O8"),
        ("arrays.means.type", 8),
        ("arrays.means.extra", 1),
        ("classes", ["a"]),
        ("classes", ["a", "b", "b"]),
        ("classes", ["a", "b", "c", "d"]),
        ("threshold", "0.7"),
        ("intercept", 0.5),
        ("coefficients", None),
        ("profile.scores.class_rates", [0.5, 0.5, "0"]),
        ("profile.scores.class_rates", [1.0]),
        ("profile.scores.positive_rate", "often"),
        ("profile.columns.0.quantiles.3", 1e200),
    ],
)
def test_it_refuses_a_forged_description(bundle: Path, path: str, value: Any) -> None:
    change(bundle, path, value)
    with pytest.raises(ArtifactError):
        load(bundle)


@pytest.mark.parametrize(
    "alter",
    [
        lambda arrays: arrays.update(means=arrays["means"][:-1]),
        lambda arrays: arrays.update(means=arrays["means"] * np.nan),
        lambda arrays: arrays.update(extra=np.zeros(1)),
        lambda arrays: arrays.pop("scales"),
        lambda arrays: arrays.clear(),
    ],
)
def test_it_refuses_other_arrays(bundle: Path, alter: Any) -> None:
    rearrange(bundle, alter)
    with pytest.raises(ArtifactError):
        load(bundle)


def test_it_refuses_a_tree_that_runs_in_circles(tmp_path: Path) -> None:
    save_classifier(made(stump(2, 5)), provenance(), tmp_path / "v1")
    rearrange(tmp_path / "v1", lambda arrays: arrays.update(left=np.array([0, -1, -1], np.int32)))
    with pytest.raises(ArtifactError, match="does not describe a classifier"):
        load(tmp_path / "v1")


def test_a_family_that_cannot_be_read_again_is_not_written() -> None:
    class Oracle:
        family, n_classes, n_slots, unit = "oracle", 2, 3, "probability"

    oracle = replace(classifier(logistic(3)), estimator=Oracle())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cannot hold an estimator of the family 'oracle'"):
        encode(oracle, provenance())


def test_the_two_ways_to_score_must_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_classifier(classifier(softmax(3)), provenance(), tmp_path / "v1")

    def a_little_off(classifier: Classifier) -> RowScorer:
        def score(row: Any) -> RowReport | None:
            report = row_scorer(classifier)(row)
            assert report is not None, "the fast way is the one to try"
            first, *others = report.probabilities
            return report._replace(probabilities=(first + 1e-9, *others))

        return score

    assert load(tmp_path / "v1").is_binary is False
    monkeypatch.setattr("mlcore.classifier.row_scorer", a_little_off)
    with pytest.raises(ArtifactError, match="scores a row otherwise alone than among others"):
        load(tmp_path / "v1")


@pytest.mark.parametrize("size", [1e4, 1e8, 1e12])
def test_large_weights_are_no_reason_to_refuse(tmp_path: Path, size: float) -> None:
    """A sum of large parts has a rounding error as large as theirs, whichever way it is taken."""
    large = logistic(5)
    large = replace(large, weights=large.weights * size)
    save_classifier(made(large), provenance(), tmp_path / "v1")
    assert load(tmp_path / "v1").estimator.n_slots == 5


def test_the_smoke_test_compares_every_class(tmp_path: Path) -> None:
    save_classifier(made(softmax(5)), provenance(), tmp_path / "v1")
    change(tmp_path / "v1", "probes.probabilities.3.2", 0.5)
    with pytest.raises(ArtifactError, match="away from its stored probability"):
        smoke_test(tmp_path / "v1")


def test_what_a_provenance_says_must_be_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_classifier(
            made(softmax(5)),
            replace(provenance(), metrics={"train": {"x": np.nan}}),
            tmp_path / "v1",
        )
    assert not (tmp_path / "v1").exists()


def test_a_bundle_does_not_depend_on_its_directory(tmp_path: Path) -> None:
    sha256 = save_classifier(made(softmax(5)), provenance(), tmp_path / "v1")
    assert sha256 == hashlib.sha256((tmp_path / "v1" / "model.json").read_bytes()).hexdigest()
    assert artifact.save_classifier(made(softmax(5)), provenance(), tmp_path / "v2") == sha256

"""Registering a bundle from outside: kept as a whole with its claims, or refused without a trace."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from endpoints.errors import (
    Conflict,
    DomainError,
    InvalidBundle,
    InvalidRequest,
    NotAllowed,
    TooLarge,
)
from endpoints.models import AlgorithmVersion, Endpoint, Event, Experiment, Run, StatusChange
from endpoints.services import artifacts, gates, lifecycle, registration, uploads
from endpoints.services.access import Caller
from endpoints.services.registration import register_upload
from mlcore import artifact, synthetic_raisin
from mlcore.from_sklearn import bundle_from_sklearn
from tests import cast
from tests.endpoints.services import handed_over
from tests.endpoints.services.decisions import decision
from tests.endpoints.services.handed_over import Change, changed, files_left
from tests.endpoints.services.killed import killed_at

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_uploads() -> None:
    """What other tests received and left; the folder is one for all."""
    shutil.rmtree(uploads.home())


@pytest.fixture
def content(raisin: Endpoint) -> bytes:
    return handed_over.bundle()


def register(endpoint: Endpoint, content: bytes | Path, **words: Any) -> AlgorithmVersion:
    asked = {"actor": cast.SYSTEM, "now": cast.THEN} | words
    return register_upload(content=content, endpoint=endpoint, **asked)


@contextmanager
def nothing_changes() -> Iterator[None]:
    tables = (Run, AlgorithmVersion, StatusChange, Event, Experiment)
    before = [table.objects.count() for table in tables], files_left()
    yield
    assert ([table.objects.count() for table in tables], files_left()) == before


def assert_refused(
    endpoint: Endpoint, content: bytes | Path, kind: type[DomainError], match: str
) -> None:
    with nothing_changes(), pytest.raises(kind, match=match):
        register(endpoint, content)


def test_it_works(raisin: Endpoint, content: bytes, dana: User) -> None:
    version = register(raisin, content, actor=Caller(user=dana), name="From the lab", note="Good.")
    assert (version.label, version.status, version.note) == ("v3", "testing", "Good.")
    run = Run.objects.get(pk=version.run_id)
    assert (run.uploaded, run.state, run.name) == (True, "finished", "From the lab")
    assert (run.experiment.name, run.created_by, run.solver) == ("raisin", dana, "newton")
    assert (run.dataset_rows, run.dataset_features, run.synthetic) == (900, 7, True)
    assert artifacts.load(version).classes == ("Kecimen", "Besni")
    assert gates.smoke_test(version).verdict == "pass"
    assert StatusChange.objects.get(version=version).actor_name == "dana"


def test_its_numbers_are_those_of_a_run_that_was_trained_here(
    raisin: Endpoint, content: bytes
) -> None:
    run = register(raisin, content).run
    here = cast.trained_run(lambda_=0.03)
    ours = {(m.key, m.value) for m in here.metrics.summary()}
    assert {(m.key, m.value) for m in run.metrics.all()} == ours
    assert list(run.params.values_list("key", "value")) == list(
        here.params.values_list("key", "value")
    )
    assert run.tags.get(key="uploaded by").value == "dana"
    assert run.dataset_name == "raisin-synthetic"


def test_a_file_and_a_folder_will_do_and_stay_where_they_are(
    raisin: Endpoint, content: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "bundle.zip"
    file.write_bytes(content)
    first = register(raisin, file)
    artifact.copy(file, tmp_path / "model")
    other = register(cast.an_endpoint("other"), tmp_path / "model")
    assert first.artifact_sha256 == other.artifact_sha256
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle.zip", "model"]


def test_nothing_but_the_run_is_left_on_the_disk(raisin: Endpoint, content: bytes) -> None:
    before = files_left()
    version = register(raisin, content)
    assert set(files_left()) - set(before) == {f"runs/{version.run_id}"}
    names = sorted(path.name for path in artifacts.folder(version).iterdir())
    assert names == ["SHA256SUMS", "model.json", "model_card.json", "weights.npz"]


def test_three_classes_and_models_of_scikit_learn_are_welcome(
    raisin: Endpoint, tmp_path: Path
) -> None:
    many = register(cast.an_endpoint("letters"), handed_over.three_classes())
    assert many.threshold is None
    version = register(raisin, from_sklearn(tmp_path), name="Pipeline")
    assert version.run.solver == "LogisticRegression"
    assert version.run.params.get(key="C").value == "1.0"
    assert version.run.metrics.filter(key="train_accuracy").exists()


def from_sklearn(folder: Path) -> Path:
    """Return a converted model without validation rows, and so without their metrics."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    pipeline = pytest.importorskip("sklearn.pipeline")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    table = synthetic_raisin()
    X = [[float(cell) for cell in row[:-1]] for row in table.rows]
    steps = preprocessing.StandardScaler(), linear_model.LogisticRegression()
    model = pipeline.make_pipeline(*steps).fit(X, [row[-1] for row in table.rows])
    bundle_from_sklearn(model, table, folder / "model.zip", target="Class", positive="Besni")
    return folder / "model.zip"


def test_the_same_bundle_is_refused_with_its_version(raisin: Endpoint, content: bytes) -> None:
    register(raisin, content)
    assert_refused(raisin, content, Conflict, "it is v3 of Raisin, in testing")
    archived = raisin.versions.get(number=2)
    again = handed_over.packed(artifacts.folder(archived))
    lifecycle.archive(version=archived, decision=decision())
    assert_refused(raisin, again, Conflict, "it is v2 of Raisin, in the archive")
    assert register(cast.an_endpoint("other"), content).label == "v1"


def test_the_same_submission_registers_once(raisin: Endpoint, content: bytes) -> None:
    first = register(raisin, content, submission="form-1")
    with nothing_changes():
        assert register(raisin, content, submission="form-1") == first
    with pytest.raises(InvalidRequest, match="used at another endpoint"):
        register(cast.an_endpoint("other"), content, submission="form-1")


def test_a_person_without_the_permission_is_refused(
    raisin: Endpoint, content: bytes, alex: User
) -> None:
    with nothing_changes(), pytest.raises(NotAllowed, match="register_version"):
        register(raisin, content, actor=Caller(user=alex))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "does not end as a zip"),
        (pickle.dumps({"weights": [1.0]}), "does not end as a zip"),
        (b"\xff\xfe not UTF-8 and no zip", "does not end as a zip"),
        (b"PK\x05\x06" + bytes(18), "damaged"),
    ],
)
def test_it_refuses_what_is_no_bundle(raisin: Endpoint, content: bytes, match: str) -> None:
    assert_refused(raisin, content, InvalidBundle, match)


def test_it_refuses_a_truncated_upload(raisin: Endpoint, content: bytes) -> None:
    assert_refused(raisin, content[:-100], InvalidBundle, "bundle.zip is damaged")


def test_it_refuses_a_changed_byte(raisin: Endpoint, content: bytes) -> None:
    place = content.index(b'"threshold":0.5') + len('"threshold":0.')
    assert_refused(raisin, content[:place] + b"6" + content[place + 1 :], InvalidBundle, "damaged")


@pytest.mark.parametrize(
    "words",
    [
        {"name": "n" * 121},
        {"name": "two\nlines"},
        {"name": " "},
        {"note": "a\x00b"},
        {"note": "\ud800"},
        {"note": "n" * 10_001},
    ],
)
def test_it_refuses_words_that_cannot_be_kept(
    raisin: Endpoint, content: bytes, words: dict[str, str]
) -> None:
    with nothing_changes(), pytest.raises(InvalidRequest, match="Not registered: the"):
        register(raisin, content, **words)


def test_it_refuses_more_bytes_than_are_allowed(
    raisin: Endpoint, content: bytes, tmp_path: Path, settings: Any
) -> None:
    settings.RAISIN_MAX_UPLOAD_BYTES = len(content) - 1
    assert_refused(raisin, content, TooLarge, "bytes; .* is the most")
    file = tmp_path / "bundle.zip"
    file.write_bytes(content)
    artifact.copy(file, tmp_path / "model")
    assert_refused(raisin, file, TooLarge, "is the most")
    settings.RAISIN_MAX_UPLOAD_BYTES = 1_000
    assert_refused(raisin, tmp_path / "model", TooLarge, "is the most")
    assert_refused(raisin, tmp_path / "nowhere", InvalidRequest, "no file “nowhere”")


def test_a_file_of_200_mib_is_not_even_read(raisin: Endpoint, tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"
    with file.open("wb") as opened:
        opened.truncate(200 * 2**20)
    assert_refused(raisin, file, TooLarge, "209,715,200 bytes")


def put(*path: Any, value: Any) -> Change:
    """Change one member of the document."""

    def change(document: dict[str, Any]) -> None:
        inner: Any = document
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value

    return change


FORGED: dict[str, tuple[Change, str]] = {
    "checksum": (put("dataset_sha256", value="x"), "look at dataset_sha256"),
    "synthetic": (put("synthetic", value="no"), "look at synthetic"),
    "rows": (put("rows", value=[1, 2]), "look at rows"),
    "negative rows": (put("rows", "train", value=-1), "look at rows and solver"),
    "huge rows": (put("rows", "train", value=2**40), "look at rows and solver"),
    "iterations": (put("solver", "iterations", value=1.5), "look at solver.iterations"),
    "solver": (put("solver", "name", value="x" * 33), "solver .* longer than 32"),
    "message": (put("solver", "message", value=None), "look at solver.message"),
    "NUL": (put("solver", "message", value="a\x00"), "holds NUL"),
    "surrogate": (put("spec", "x", value="\ud800"), "lone surrogate"),
    "long text": (put("spec", "x", value="x" * 10_001), "longer than 10000"),
    "spec": (put("spec", value="none"), "spec in model.json is no object"),
    "members": (put("spec", value={str(n): n for n in range(201)}), "at most 200 members"),
    "member's name": (put("spec", value={"a\nb": 1}), "control characters"),
    "versions": (put("versions", "numpy", value=2), "look at versions"),
    "deep": (put("spec", "x", value=eval("[" * 20 + "]" * 20)), "more than 16 levels"),
    "metrics": (put("metrics", value={"train": {}}), "look at metrics"),
    "report": (put("metrics", "train", value=[1]), "metrics.train in model.json is no object"),
    "accuracy": (put("metrics", "train", "accuracy", value="high"), "look at metrics.train.acc"),
    "no accuracy": (put("metrics", "train", value={"n": 1}), "look at metrics.train.accuracy"),
    "confusion": (put("metrics", "validation", "confusion", value=None), "validation.confusion"),
    "huge number": (put("metrics", "train", "new", value=10**400), "only finite numbers"),
    "share": (put("metrics", "validation", "accuracy", value=5.0), "accuracy of 5.0"),
    "negative": (put("metrics", "train", "log_loss", value=-0.1), "log_loss of -0.1"),
    "correlation": (put("metrics", "train", "mcc", value=-1.5), "mcc of -1.5"),
    "out of all measure": (put("metrics", "train", "calibration_slope", value=1e300), "1e"),
    "counts": (put("metrics", "train", "confusion", "tp", value=-5), "tp of -5"),
    "rows of metrics": (put("metrics", "train", "n", value=2**50), "n of 1125"),
    "class": (put("classes", value=["Kecimen", "B" * 201]), "longer than 200"),
    "class on two lines": (put("classes", value=["Kecimen", "Be\nsni"]), "control characters"),
    "target": (put("target", value="Cl\x07ass"), "control characters"),
    "format": (put("format_version", value=99), "not a raisin-classifier"),
}


@pytest.mark.parametrize("name", FORGED)
def test_it_refuses_a_document_that_no_page_could_show(
    raisin: Endpoint, content: bytes, name: str
) -> None:
    change, match = FORGED[name]
    assert_refused(raisin, changed(content, change), InvalidBundle, match)


def test_it_refuses_confusions_that_do_not_fit_the_classes(raisin: Endpoint) -> None:
    short = put("metrics", "train", "confusion", value=[[1.0]])
    forged = changed(handed_over.three_classes(), short)
    assert_refused(raisin, forged, InvalidBundle, r"look at metrics\.train")


def test_it_refuses_what_no_rows_of_a_class_could_give(raisin: Endpoint) -> None:
    better = put("metrics", "train", "per_class", 0, "recall", value=1.01)
    forged = changed(handed_over.three_classes(), better)
    assert_refused(raisin, forged, InvalidBundle, "recall of 1.01, which no rows can give")


def test_data_known_to_be_synthetic_cannot_be_claimed_to_be_real(
    raisin: Endpoint, content: bytes
) -> None:
    forged = changed(content, put("synthetic", value=False))
    assert register(raisin, forged).run.synthetic


def test_markup_in_names_is_kept_as_text(raisin: Endpoint, content: bytes) -> None:
    forged = changed(content, put("solver", "message", value="<script>alert(1)</script>"))
    assert register(raisin, forged).run.message == "<script>alert(1)</script>"


def test_it_refuses_a_document_of_megabytes_before_reading_it(
    raisin: Endpoint, content: bytes, settings: Any
) -> None:
    settings.RAISIN_MAX_UPLOAD_BYTES = 8_000_000
    forged = changed(content, put("spec", "x", value=[0] * 2_200_000))
    assert_refused(raisin, forged, InvalidBundle, "model.json has .* is the most")


def test_it_refuses_ten_thousand_columns(
    raisin: Endpoint, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration.claims, "MOST_COLUMNS", 6)
    assert_refused(raisin, content, InvalidBundle, "it has 7 columns; 6 is the most")


def test_a_failure_after_the_files_appeared_leaves_nothing(
    raisin: Endpoint, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**facts: Any) -> None:
        assert (artifacts.folder(facts["run"]) / "model.json").is_file()
        raise Conflict("somebody was first")

    monkeypatch.setattr(lifecycle, "register", fail)
    assert_refused(raisin, content, Conflict, "somebody was first")


def test_what_a_killed_process_left_is_removed_next_time(raisin: Endpoint, content: bytes) -> None:
    version = register(raisin, content)
    half, whole = uploads.Stage("a" * 32), uploads.Stage(version.run_id)
    fresh, file = uploads.home() / ("b" * 32), uploads.home() / "tmp.upload"
    half.target.mkdir()
    file.write_bytes(b"x")
    for folder in (half.path, whole.path, fresh):
        folder.mkdir()
    for path in (half.path, whole.path, file):
        past = (cast.THEN - timedelta(hours=2)).timestamp()
        os.utime(path, (past, past))
    uploads.clear_strays(cast.THEN)
    assert not half.target.exists()
    assert whole.target.exists()
    assert list(uploads.home().iterdir()) == [fresh]
    fresh.rmdir()


def test_the_schema_is_compared_with_production_and_told(raisin: Endpoint, content: bytes) -> None:
    same = register(raisin, content)
    verdict = registration.schema_verdict(same, actor=cast.SYSTEM, now=cast.THEN)
    assert verdict.verdict == "pass"
    other = register(raisin, handed_over.three_classes())
    verdict = registration.schema_verdict(other, actor=cast.SYSTEM, now=cast.THEN)
    assert verdict.verdict == "fail"


@pytest.mark.django_db(transaction=True)
def test_killed_at_any_statement_it_leaves_all_or_strays_that_go(raisin: Endpoint) -> None:
    content, before, points = handed_over.bundle(), files_left(), count(1)
    while not killed_at(next(points), lambda: register(raisin, content, submission="form-1")):
        runs = list(Run.objects.filter(uploaded=True))
        assert (
            len(runs) == raisin.versions.count() - 2 == Event.objects.filter(subject="v3").count()
        )
        assert all(artifacts.load(run).classes for run in runs)
    version = raisin.versions.get(number=3)
    assert StatusChange.objects.filter(version=version).count() == 1
    assert next(points) > 10
    uploads.clear_strays(timezone.now() + timedelta(hours=2))
    assert files_left() == sorted([*before, f"runs/{version.run_id}"])


@pytest.mark.django_db(transaction=True)
def test_two_uploads_of_the_same_bundle_at_once_make_one_version(raisin: Endpoint) -> None:
    content, barrier, outcomes = handed_over.bundle(), Barrier(2), []

    def upload() -> None:
        barrier.wait()
        try:
            outcomes.append(register(raisin, content).label)
        except Conflict as error:
            outcomes.append(str(error))
        finally:
            connection.close()

    threads = [Thread(target=upload) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [
        "This bundle is registered already: it is v3 of Raisin, in testing.",
        "v3",
    ]
    assert Run.objects.filter(uploaded=True).count() == 1
    assert not list(uploads.home().iterdir())
    shutil.rmtree(uploads.home())

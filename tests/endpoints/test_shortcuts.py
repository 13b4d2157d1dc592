"""The shortcuts of the tests: quicker, and no answer is another one."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from endpoints.models import Endpoint
from endpoints.services import artifacts
from endpoints.services.snapshots import snapshots
from mlcore.errors import ArtifactError
from tests import cast, pace

pytestmark = pytest.mark.django_db


def test_a_bundle_that_was_verified_is_refused_once_it_is_another() -> None:
    run = cast.trained_run()
    artifacts.load(run)
    weights = artifacts.folder(run) / "weights.npz"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    with pytest.raises(ArtifactError):
        artifacts.load(run)
    with pytest.raises(ArtifactError):
        artifacts.describe(run)


def test_a_bundle_that_was_verified_is_refused_under_another_checksum() -> None:
    run = cast.trained_run()
    artifacts.load(run)
    run.artifact_sha256 = "0" * 64
    with pytest.raises(ArtifactError, match="SHA-256"):
        artifacts.load(run)


def test_who_changes_a_document_changes_his_own() -> None:
    run = cast.trained_run()
    artifacts.describe(run)["rows"].clear()
    assert artifacts.describe(run)["rows"] == {"train": 720, "validation": 180}


def test_the_files_of_a_run_are_its_own() -> None:
    first, second = cast.trained_run(), cast.trained_run()
    kept = {path.name for path in cast.folder_of(second).rglob("*") if path.is_file()}
    assert kept == {
        "model.json", "weights.npz", "SHA256SUMS", "model_card.json", "holdout.csv", "analysis.json",
    }  # fmt: skip
    artifacts.holdout_file(first).write_bytes(b"")
    assert artifacts.holdout_file(second).stat().st_size > 0


@pytest.mark.usefixtures("remembered")
def test_what_answers_is_read_once_where_it_is_remembered(raisin: Endpoint) -> None:
    assert snapshots.get("raisin") is not None
    with CaptureQueriesContext(connection) as asked:
        assert snapshots.get("raisin") is not None
    assert len(asked) == 0


@pytest.mark.parametrize("slug", ["first", "second"])
def test_nothing_is_remembered_from_test_to_test(remembered: None, slug: str) -> None:
    cast.an_endpoint(slug)
    assert set(snapshots.all()) == {slug}


def test_a_slower_machine_has_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(seconds: float) -> Any:
        return lambda: seconds

    monkeypatch.setattr(pace, "_work", work(3 * pace.USUAL))
    assert pace.seconds(0.5) == pytest.approx(1.5)
    monkeypatch.setattr(pace, "_work", work(pace.USUAL / 3))
    assert pace.seconds(0.5) == 0.5

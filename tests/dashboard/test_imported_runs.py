"""A run that was tracked as a folder has pages like any other, and becomes a version from there."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User

from endpoints.models import AlgorithmVersion, Run
from endpoints.services.run_folders import import_all
from mlcore import TrainingSpec, train
from mlcore.tracking import start_run
from tests import cast
from tests.dashboard.conftest import Browse, Site
from tests.dashboard.pages import assert_clean, text_of


@pytest.fixture
def imported(db: None, tmp_path: Path) -> Run:
    with start_run(tmp_path, experiment="grains", name="From the laptop") as run:
        run.log_training(train(TrainingSpec(target="Class", positive="Besni"), cast.raisin_rows()))
    assert [result.outcome for result in import_all(tmp_path)] == ["imported"]
    return Run.objects.get(pk=run.id)


def test_it_has_a_page(site: Site, imported: Run, eve: User, browse: Browse) -> None:
    response = browse(eve).get(f"/runs/{imported.pk}/")
    assert_clean(response)
    said = text_of(response)
    assert "From the laptop" in said
    assert "weights.npz" in said
    assert "raisin-synthetic" in said
    assert len(response.context["convergence"]) > 0
    assert response.context["metrics"].groups
    assert response.context["importance"].columns


def test_it_can_be_registered(site: Site, imported: Run, dana: User, browse: Browse) -> None:
    browse(dana).post(f"/runs/{imported.pk}/register/", {"endpoint": "raisin", "note": "by train"})
    version = AlgorithmVersion.objects.get(run=imported)
    assert (version.endpoint.slug, version.status) == ("raisin", "testing")
    assert version.artifact_sha256 == imported.artifact_sha256


def test_a_failed_run_that_knows_little_has_a_page_too(
    site: Site, tmp_path: Path, eve: User, browse: Browse
) -> None:
    start_run(tmp_path, name="Failed early").fail("no luck")
    assert [result.outcome for result in import_all(tmp_path)] == ["imported"]
    run = Run.objects.get(name="Failed early")
    for address in (
        f"/runs/{run.pk}/",
        "/runs/",
        f"/runs/compare/?run={run.pk}&run={site.live_run.pk}",
    ):
        response = browse(eve).get(address)
        assert response.status_code == 200
        assert_clean(response)
        assert "Failed early" in text_of(response)

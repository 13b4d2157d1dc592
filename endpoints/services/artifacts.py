"""Where the files of a run lie under RAISIN_HOME, and how its model is written and read back.

A version has the files of its run. It knows nothing of statuses, gates or caches.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from django.conf import settings

from endpoints.models import AlgorithmVersion, Run
from mlcore import artifact, run_training
from mlcore.classifier import Classifier
from mlcore.files import replace_file
from mlcore.model_card import model_card_json
from mlcore.run_folder import json_bytes
from mlcore.table import Table, canonical_csv

if TYPE_CHECKING:
    from mlcore.analysis import AnalysisReport


class Trained(run_training.Trained, Protocol):
    """What a training of any kind gives to be kept."""

    @property
    def holdout(self) -> Table: ...

    @property
    def analysis(self) -> AnalysisReport: ...


def folder(kept: AlgorithmVersion | Run) -> Path:
    return Path(settings.RAISIN_HOME) / kept.artifact_path


def holdout_file(run: Run) -> Path:
    return Path(settings.RAISIN_HOME) / "runs" / run.id / "holdout.csv"


def analysis_file(run: Run) -> Path:
    return holdout_file(run).with_name("analysis.json")


def save(run: Run, result: Trained) -> None:
    """Write bundle, model card, holdout rows and analysis; note on the run where the bundle is."""
    classifier, provenance = result.classifier, result.provenance
    run.artifact_path = _path(run)
    run.artifact_sha256 = artifact.save_classifier(classifier, provenance, folder(run))
    card = model_card_json(classifier, provenance)
    replace_file(folder(run) / "model_card.json", card.encode())
    holdout = canonical_csv(result.holdout.header, result.holdout.rows)
    replace_file(holdout_file(run), holdout)
    replace_file(analysis_file(run), json_bytes(result.analysis.to_dict(), name="analysis"))


def clear(run: Run) -> None:
    """Remove the bundle of a training that came to no end, if no row names it. For whoever has the run.

    Trained again elsewhere, the bundle may differ in a byte, and one is never written over another.
    """
    path = _path(run)
    if not Run.objects.filter(pk=run.pk, artifact_path=path).exists():
        with suppress(FileNotFoundError):
            shutil.rmtree(Path(settings.RAISIN_HOME) / path)


def load(kept: AlgorithmVersion | Run) -> Classifier:
    """Load the model and verify its SHA-256; raises ArtifactError."""
    return artifact.load(folder(kept), sha256=kept.artifact_sha256)


def describe(kept: AlgorithmVersion | Run) -> dict[str, Any]:
    """Return what model.json says, verified as in `load`."""
    return artifact.describe(folder(kept), sha256=kept.artifact_sha256)


def _path(run: Run) -> str:
    return f"runs/{run.id}/model"

"""Where the files of a run lie under RAISIN_HOME, and how its model is written and read back.

A version has the files of its run. It knows nothing of statuses, gates or caches.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.conf import settings

from endpoints.models import AlgorithmVersion, Run
from mlcore import artifact
from mlcore.classifier import Classifier
from mlcore.table import Table, canonical_csv
from mlcore.training import TrainingResult


def folder(kept: AlgorithmVersion | Run) -> Path:
    return Path(settings.RAISIN_HOME) / kept.artifact_path


def holdout_file(run: Run) -> Path:
    return Path(settings.RAISIN_HOME) / "runs" / run.id / "holdout.csv"


def save(run: Run, result: TrainingResult) -> None:
    """Write the bundle and the holdout rows, and note on the run where the bundle is."""
    run.artifact_path = f"runs/{run.id}/model"
    run.artifact_sha256 = artifact.save(result, folder(run))
    _write_table(holdout_file(run), result.holdout)


def load(kept: AlgorithmVersion | Run) -> Classifier:
    """Load the model and verify its SHA-256; raises ArtifactError."""
    return artifact.load(folder(kept), sha256=kept.artifact_sha256)


def describe(kept: AlgorithmVersion | Run) -> dict[str, Any]:
    """Return what model.json says, verified as in `load`."""
    return artifact.describe(folder(kept), sha256=kept.artifact_sha256)


def _write_table(path: Path, table: Table) -> None:
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        file.write(canonical_csv(table.header, table.rows))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)

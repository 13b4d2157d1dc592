"""Runs tracked into folders, and what the registry holds of them."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from endpoints.models import Experiment, Run
from endpoints.services import run_contents
from endpoints.services.run_folders import ImportResult, import_all
from mlcore import TrainingSpec, train
from mlcore.run_folder import RunFolder
from mlcore.tracking import TrackedRun, read_run, start_run
from tests import cast


def tracked(root: Path, *, experiment: str = "grains", **spec: Any) -> RunFolder:
    """Return a finished run with a model, tracked into a folder below the root."""
    recipe = TrainingSpec(**{"target": "Class", "positive": "Besni"} | spec)
    with start_run(root, experiment=experiment, name="tracked") as run:
        run.log_training(train(recipe, cast.raisin_rows()))
        run.log_text("looks fine", "notes/review.txt")
    return read_run(run.path)


def untrained(root: Path, *, end: Callable[[TrackedRun], None]) -> RunFolder:
    run = start_run(root, experiment="grains", name="no model")
    run.log_param("depth", 3)
    run.log_metric("loss", 0.5, 2)
    end(run)
    return read_run(run.path)


def failed(root: Path) -> RunFolder:
    return untrained(root, end=lambda run: run.fail("diverged"))


def outcomes(root: Path, **options: Any) -> list[str]:
    return [result.outcome for result in import_all(root, **options)]


def only(root: Path) -> ImportResult:
    (result,) = import_all(root)
    return result


def files_below(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def facts(run: Run) -> dict[str, Any]:
    """Return everything that the registry and its home folder hold of a run."""
    columns = {field.attname: getattr(run, field.attname) for field in Run._meta.concrete_fields}
    return {
        **columns,
        "params": dict(run.params.values_list("key", "value")),
        "tags": dict(run.tags.values_list("key", "value")),
        "metrics": set(run.metrics.values_list("key", "step", "value")),
        "files": files_below(run_contents.files_of(run)),
    }


def forget(run: Run) -> None:
    shutil.rmtree(run_contents.files_of(run))
    run.delete()
    Experiment.objects.all().delete()


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rewrite(path: Path, *, old: bytes, new: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(old, new, 1))

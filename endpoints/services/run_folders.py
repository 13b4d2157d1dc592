"""Run folders into the registry and out of it: the whole run or nothing; it reads no running run.

Under RAISIN_HOME a run's files lie as in the artifacts of its folder: model/, holdout.csv, others.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Literal

from django.db import IntegrityError, transaction

from endpoints.errors import Conflict, InvalidRequest, NotFound
from endpoints.models import Experiment, Metric, Param, Run, Tag
from endpoints.models.run import RunState
from endpoints.services import artifacts, tracking
from endpoints.services.run_contents import (
    contents_of,
    copy_files,
    differences,
    files_of,
    listed_files,
)
from endpoints.services.words import LONGEST_CLASS
from mlcore import artifact
from mlcore.analysis import AnalysisReport
from mlcore.canonical import sha256
from mlcore.errors import ArtifactError, DataError, MlcoreError, shown
from mlcore.files import sync
from mlcore.run_folder import INTERRUPTED, RunFolder, write_json, write_run
from mlcore.run_names import check_folder_name, check_name, check_text
from mlcore.run_reading import find_runs, read_run
from mlcore.shapes import misfits

Outcome = Literal["imported", "unchanged", "skipped", "changed", "broken"]
CHUNK = 1_000
LARGEST_ANALYSIS = 4 * 2**20
DEEPEST_ANALYSIS = 32
LEFT_OUT = ("covariance", "robust_covariance")


@dataclass(frozen=True)
class ImportResult:
    """What became of one folder. `changed` and `broken` are not in the registry as they lie there."""

    outcome: Outcome
    path: Path
    run_id: str = ""
    reason: str = ""


@dataclass(frozen=True)
class ExportResult:
    outcome: Literal["exported", "unchanged"]
    path: Path


def import_all(root: Path, *, experiment: str = "") -> Iterator[ImportResult]:
    """Import every run below a folder; a broken one keeps no other from being imported."""
    if experiment:
        check_name(experiment, what="experiment")
    for path in find_runs(root):
        yield _import(path, experiment)


def export_run(run_id: str, root: Path) -> ExportResult:
    """Write a run that has ended into `<root>/<experiment>/runs/<id>`, as the tracker would."""
    run = Run.objects.select_related("experiment").filter(pk=run_id).first()
    if run is None:
        raise NotFound(f"There is no run {shown(run_id)}.")
    if run.state in (RunState.QUEUED, RunState.RUNNING):
        raise InvalidRequest(
            f"Run {run.short_id} is still {run.state}; export it once it has ended."
        )
    if run.state == RunState.CANCELLED:
        raise InvalidRequest(f"Run {run.short_id} was cancelled; there is nothing to export.")
    target = root / _folder_name(run.experiment.name) / "runs" / run.pk
    if target.exists():
        changed = differences(run, read_run(target))
        if changed:
            raise Conflict(f"{target} holds this run with other {changed}; export elsewhere.")
        return ExportResult("unchanged", target)
    _write(run, target)
    return ExportResult("exported", target)


def _import(path: Path, experiment: str) -> ImportResult:
    try:
        run = read_run(path)
        unfit = _unfit(run)
        if unfit:
            return ImportResult("skipped", path, run.id, unfit)
        return _import_ended(_ended(run), experiment)
    except MlcoreError as error:
        return ImportResult("broken", path, reason=str(error))


def _unfit(run: RunFolder) -> str:
    """Why a sound run is not taken in, or nothing."""
    if run.state == "running":
        writer = run.process
        where = f" (process {writer.pid} on {writer.host})" if writer else ""
        return f"it is still running{where}; import it once it has ended"
    return ""


def _ended(run: RunFolder) -> RunFolder:
    """The run as the registry knows it, which has no word for an interrupted one but failed."""
    if run.state != INTERRUPTED:
        return run
    return replace(run, state="failed", message="interrupted: its process ended without a word")


def _import_ended(run: RunFolder, experiment: str) -> ImportResult:
    known = _compared(run)
    if known:
        return known
    with _staged(run) as stage:
        _verify(run, stage)
        try:
            _insert(run, experiment or run.experiment, stage)
        except IntegrityError:
            # Somebody imported the same run at the same time and was first.
            known = _compared(run)
            if known is None:
                raise
            return known
    return ImportResult("imported", run.path, run.id)


def _compared(run: RunFolder) -> ImportResult | None:
    """What to say of a run that the registry has; None if it has none of this id."""
    kept = Run.objects.select_related("experiment").filter(pk=run.id).first()
    if kept is None:
        return None
    changed = differences(kept, run)
    if changed:
        reason = f"the registry has this run with other {changed}, and runs are never overwritten"
        return ImportResult("changed", run.path, run.id, reason)
    return ImportResult("unchanged", run.path, run.id)


@contextmanager
def _staged(run: RunFolder) -> Iterator[Path]:
    """A copy of the run's files on the file system where they will stay."""
    home = files_of(Run(pk=run.id)).parent
    home.mkdir(parents=True, exist_ok=True)
    stage = Path(mkdtemp(prefix=f".{run.id}.", dir=home))
    try:
        stage.chmod(0o755)
        copy_files(run.artifacts, stage)
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _verify(run: RunFolder, stage: Path) -> None:
    """The model is intact, repeats its probe rows, and is what meta.json says of it."""
    listed_files(stage)
    if not run.model.sha256:
        return
    artifact.smoke_test(stage / "model", sha256=run.model.sha256)
    described = artifact.describe(stage / "model", sha256=run.model.sha256)
    said = {
        "converged": run.model.converged,
        "synthetic": run.dataset.synthetic,
        "dataset_sha256": run.dataset.sha256,
    }
    for name, value in said.items():
        if described[name] != value:
            raise ArtifactError(
                f"meta.json and the model disagree: {name} is {shown(described[name])}"
            )
    for name in described["classes"]:
        if len(name) > LONGEST_CLASS:
            raise DataError(f"the class {shown(name)} is longer than {LONGEST_CLASS} characters")


@transaction.atomic
def _insert(run: RunFolder, experiment: str, stage: Path) -> None:
    """Store the rows, then let the files appear.

    A power cut between the two may leave files without rows. They belong to nobody, and the next
    import of the run replaces them.
    """
    analysis = _analysis(stage)
    row = _row(run, experiment)
    row.save(force_insert=True)
    Param.objects.bulk_create(
        [Param(run=row, key=key, value=value) for key, value in run.params.items()], CHUNK
    )
    Tag.objects.bulk_create(
        [Tag(run=row, key=key, value=value) for key, value in run.tags.items()], CHUNK
    )
    points = (Metric(run=row, key=p.name, step=p.step, value=p.value) for p in run.metrics)
    Metric.objects.bulk_create(points, CHUNK)
    if analysis:
        tracking.log_analysis(row, analysis)
    home = files_of(row)
    shutil.rmtree(home, ignore_errors=True)
    stage.rename(home)
    sync(home.parent)


def _analysis(stage: Path) -> dict[str, Any]:
    """What the training found out about its model; nothing where that was not kept."""
    path = stage / "analysis.json"
    if not path.is_file():
        return {}
    if path.stat().st_size > LARGEST_ANALYSIS:
        raise DataError(f"analysis.json has more than {LARGEST_ANALYSIS >> 20} MiB")
    try:
        document = json.loads(
            path.read_bytes(), parse_constant=_refuse_constant, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        raise DataError(f"analysis.json cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise DataError("analysis.json holds no object")
    _check_storable(document, DEEPEST_ANALYSIS)
    odd = next(misfits(document, AnalysisReport, optional=LEFT_OUT), None) if document else None
    if odd is not None:
        raise DataError(f"analysis.json is not what a training writes: look at {odd or 'it'}")
    return document


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(digits: str) -> float:
    return float(digits) if math.isfinite(float(digits)) else _refuse_constant(digits)


def _check_storable(value: object, levels: int) -> None:
    """Raise DataError for what JSON allows and a database does not keep."""
    if not levels:
        raise DataError(f"analysis.json has more than {DEEPEST_ANALYSIS} levels")
    if isinstance(value, str):
        check_text(value, what="text in analysis.json", longest=LARGEST_ANALYSIS)
    elif isinstance(value, dict | list):
        for part in [*value, *value.values()] if isinstance(value, dict) else value:
            _check_storable(part, levels - 1)


def _row(run: RunFolder, experiment: str) -> Run:
    model, dataset = run.model, run.dataset
    return Run(
        pk=run.id,
        experiment=Experiment.objects.get_or_create(name=experiment)[0],
        name=run.name,
        state=run.state,
        solver=model.solver,
        converged=model.converged,
        iterations=model.iterations,
        message=run.message,
        dataset_name=dataset.name,
        dataset_sha256=dataset.sha256,
        dataset_rows=dataset.rows,
        dataset_features=dataset.features,
        synthetic=dataset.synthetic,
        artifact_path=f"runs/{run.id}/model" if model.sha256 else "",
        artifact_sha256=model.sha256,
        started_at=run.started_at,
        ended_at=run.ended_at,
    )


def _write(run: Run, target: Path) -> None:
    """Write beside, then rename: whoever looks sees all of the run or nothing."""
    draft = target.with_name(f".{run.pk}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        (draft / "artifacts").mkdir(parents=True)
        copy_files(files_of(run), draft / "artifacts")
        found = contents_of(run, draft)
        if run.artifact_sha256:
            found = replace(found, versions=artifacts.describe(run)["versions"])
            profile = artifacts.load(run).profile
            write_json(draft / "train_profile.json", profile.to_dict())
        write_run(found)
        draft.rename(target)
        sync(target.parent)
    except OSError as error:
        raise InvalidRequest(f"The run cannot be written to {target}: {error.strerror}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _folder_name(experiment: str) -> str:
    """The experiment's name, or one made from its checksum where no folder can be called so."""
    try:
        return check_folder_name(experiment, what="experiment")
    except DataError:
        return f"experiment-{sha256(experiment.encode())[:16]}"

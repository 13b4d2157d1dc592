"""What a run consists of, in the registry and in a folder, and where two of them differ; changes nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from endpoints.models import Run
from endpoints.services import artifacts
from mlcore.errors import DataError, listed, shown
from mlcore.files import sync
from mlcore.run_folder import DatasetSpec, MetricPoint, ModelReport, RunFolder
from mlcore.run_names import check_file_path

LARGEST_FILE = 256 * 2**20
LARGEST_RUN = 2**30
MOST_FILES = 1_000
COMPARED = (
    "name",
    "state",
    "started_at",
    "ended_at",
    "message",
    "dataset",
    "model",
    "params",
    "tags",
)


@dataclass(frozen=True)
class KeptFile:
    """A file of a run; its name is relative, with slashes."""

    name: str
    path: Path
    size: int


def files_of(run: Run) -> Path:
    """The folder of all files of a run under RAISIN_HOME."""
    return artifacts.holdout_file(run).parent


def contents_of(run: Run, path: Path) -> RunFolder:
    """The registry's run as a folder at `path` would tell it."""
    return RunFolder(
        path=path,
        id=run.pk,
        name=run.name,
        experiment=run.experiment.name,
        state=run.state,
        started_at=run.started_at,
        ended_at=run.ended_at,
        message=run.message,
        dataset=DatasetSpec(
            name=run.dataset_name,
            sha256=run.dataset_sha256,
            rows=run.dataset_rows,
            features=run.dataset_features,
            synthetic=run.synthetic,
        ),
        model=ModelReport(run.solver, run.converged, run.iterations, run.artifact_sha256),
        params=dict(run.params.values_list("key", "value")),
        tags=dict(run.tags.values_list("key", "value")),
        metrics=tuple(
            MetricPoint(*point) for point in run.metrics.values_list("key", "step", "value")
        ),
    )


def differences(run: Run, folder: RunFolder) -> str:
    """In what the registry's run and a folder differ, as words; nothing where they are equal.

    Left out are the experiment, which an import may choose, and the times of metrics.
    """
    kept = contents_of(run, folder.path)
    changed = [name for name in COMPARED if getattr(kept, name) != getattr(folder, name)]
    if _values(kept) != _values(folder):
        changed.append("metrics")
    if _checksums(files_of(run)) != _checksums(folder.artifacts):
        changed.append("files")
    return listed(changed)


def listed_files(folder: Path) -> list[KeptFile]:
    """All files below a folder, sorted; DataError for what may not be kept as a run's file.

    Hidden files are left out: they are drafts that a killed process left behind.
    """
    if folder.is_symlink():
        raise DataError(f"{folder.name} is a link; only folders are read")
    files = sorted(_walk(folder, ""), key=lambda file: file.name)
    if len(files) > MOST_FILES:
        raise DataError(f"the run has {len(files)} files; {MOST_FILES} is the most")
    total = sum(file.size for file in files)
    if total > LARGEST_RUN:
        raise DataError(f"the run's files have {total} bytes; {LARGEST_RUN} is the most")
    return files


def copy_files(source: Path, target: Path) -> None:
    """Copy all files below a folder into another, which exists, and sync them."""
    for file in listed_files(source):
        copy = target / file.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            # A file that has become a link since it was listed stays one, and is found later.
            shutil.copyfile(file.path, copy, follow_symlinks=False)
        except OSError as error:
            raise DataError(f"cannot copy {file.path}: {error}") from error
    for file in listed_files(target):
        sync(file.path)
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        sync(folder)


def _walk(folder: Path, prefix: str) -> Iterator[KeptFile]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    except OSError as error:
        raise DataError(f"cannot read {folder}: {error.strerror}") from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        name = prefix + entry.name
        check_file_path(name)
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(folder / entry.name, f"{name}/")
        else:
            yield _kept(entry, name)


def _kept(entry: os.DirEntry[str], name: str) -> KeptFile:
    if not entry.is_file(follow_symlinks=False):
        raise DataError(f"{shown(name)} is a link or a device; only files are kept")
    size = entry.stat(follow_symlinks=False).st_size
    if size > LARGEST_FILE:
        raise DataError(f"{shown(name)} has {size} bytes; {LARGEST_FILE} is the most")
    return KeptFile(name, Path(entry.path), size)


def _values(run: RunFolder) -> dict[tuple[str, int], float]:
    return {(point.name, point.step): point.value for point in run.metrics}


def _checksums(folder: Path) -> dict[str, str]:
    return {file.name: _checksum(file.path) for file in listed_files(folder)}


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

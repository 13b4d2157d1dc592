"""A tracked run as a folder of plain files: what stands where, and how it is written; knows no clock.

* meta.json           id, names, state, times, versions, the data set and how the training ended
* params.json         name -> text
* tags.json           name -> text
* metrics.jsonl       one JSON object a line, only ever appended to
* train_profile.json  the summary of the training rows, where a model was logged
* artifacts/          model/ (the verified bundle), holdout.csv and whatever else was kept

JSON files are replaced as a whole: written beside, synced, renamed. Only metrics.jsonl grows in
place, so only its last line can be torn, and a torn last line is left out.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mlcore.errors import DataError
from mlcore.files import replace_file, sync
from mlcore.run_names import check_key, check_step, check_value

FORMAT = "raisin-run"
FORMAT_VERSION = 1
STATES = ("running", "finished", "failed")
INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class DatasetSpec:
    """What the run was trained on; a run that trained nothing leaves it empty."""

    name: str = ""
    sha256: str = ""
    rows: int = 0
    features: int | None = None
    synthetic: bool = False


@dataclass(frozen=True)
class ModelReport:
    """How the training ended, and the SHA-256 of the bundle in artifacts/model."""

    solver: str = ""
    converged: bool | None = None
    iterations: int | None = None
    sha256: str = ""


@dataclass(frozen=True)
class Process:
    """Who writes the run. ``started`` tells a process from a later one with the same number."""

    host: str
    pid: int
    started: str = ""


@dataclass(frozen=True)
class MetricPoint:
    """One value of a metric. A point is known by name and step: the last one written counts."""

    name: str
    step: int
    value: float
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """A run as its files tell it. ``state`` is running, finished, failed or interrupted."""

    path: Path
    id: str
    name: str
    experiment: str
    state: str
    started_at: datetime
    ended_at: datetime | None = None
    message: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    process: Process | None = None
    dataset: DatasetSpec = DatasetSpec()
    model: ModelReport = ModelReport()
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[MetricPoint, ...] = ()

    @property
    def artifacts(self) -> Path:
        return self.path / "artifacts"


def create_run(run: RunFolder) -> None:
    """Make the folder in one step, whoever finds it finds all files in it; OSError otherwise."""
    draft = run.path.with_name(f".{run.id}.draft")
    draft.mkdir(parents=True)
    write_run(replace(run, path=draft))
    (draft / "artifacts").mkdir()
    draft.replace(run.path)
    sync(run.path.parent)


def write_run(run: RunFolder) -> None:
    """Write all files of a run but its artefacts into its folder, which exists."""
    lines = "".join(map(metric_line, run.metrics))
    replace_file(run.path / "metrics.jsonl", lines.encode())
    write_json(run.path / "params.json", run.params)
    write_json(run.path / "tags.json", run.tags)
    write_meta(run)


def write_meta(run: RunFolder) -> None:
    """Write meta.json: all of the run that is not in a file of its own."""
    document = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "id": run.id,
        "name": run.name,
        "experiment": run.experiment,
        "state": run.state,
        "started_at": run.started_at.isoformat(),
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "message": run.message,
        "versions": dict(run.versions),
        "process": asdict(run.process) if run.process else None,
        "dataset": asdict(run.dataset),
        "model": asdict(run.model),
    }
    write_json(run.path / "meta.json", document)


def write_json(path: Path, document: object) -> None:
    """Replace the file by the document; DataError for what JSON cannot hold."""
    replace_file(path, json_bytes(document, name=path.name))


def json_bytes(document: object, *, name: str) -> bytes:
    """The document as indented JSON; DataError for NaN and for what JSON has no form for."""
    try:
        return f"{json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)}\n".encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"{name} cannot be written as JSON: {error}") from error


def checked_point(name: str, step: object, value: object, at: datetime | None) -> MetricPoint:
    """The point; DataError unless each part can be kept and compared."""
    check_key(name, what="metric")
    return MetricPoint(name, check_step(step, name=name), check_value(value, name=name), at)


def metric_line(point: MetricPoint) -> str:
    r"""A line of metrics.jsonl.

    >>> metric_line(MetricPoint("loss", 3, 0.25))
    '{"name": "loss", "step": 3, "value": 0.25}\n'
    """
    document: dict[str, Any] = {"name": point.name, "step": point.step, "value": point.value}
    if point.at is not None:
        document["at"] = point.at.isoformat()
    return json.dumps(document, ensure_ascii=False) + "\n"


def this_process() -> Process:
    return Process(platform.node(), os.getpid(), _start_of(os.getpid()))


def is_gone(process: Process) -> bool:
    """True when the process ran on this machine and is over; of others nothing can be told."""
    if process.host != platform.node():
        return False
    return not _lives(process.pid) or _start_of(process.pid) != process.started


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    return True


def _start_of(pid: int) -> str:
    """When the process started, in ticks since the machine did; "" where the system hides it.

    A process that was killed and not yet waited for has no start that a living one has.
    """
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # The name in brackets may itself hold blanks and brackets. Behind it come the state and, as
    # the 20th field, the start.
    behind = line.rpartition(")")[2].split()
    return "dead" if behind[0] in "ZX" else behind[19]

"""Reads tracked runs back from their folders and trusts nothing in them; writes nothing."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from mlcore.errors import DataError, shown
from mlcore.files import read_file
from mlcore.run_folder import (
    FORMAT,
    FORMAT_VERSION,
    INTERRUPTED,
    STATES,
    DatasetSpec,
    MetricPoint,
    ModelReport,
    Process,
    RunFolder,
    checked_point,
    is_gone,
)
from mlcore.run_names import (
    LONGEST_DATASET,
    check_key,
    check_name,
    check_run_id,
    check_text,
)

LARGEST_FILE = 256 * 2**20
"""Bytes of one file: about three million points of metrics."""

EARLIEST, LATEST = 1900, 2900
"""Years: a moment near the ends of the calendar overflows in another time zone."""

Spec = TypeVar("Spec", DatasetSpec, ModelReport, Process)


def read_run(path: Path | str) -> RunFolder:
    """The run in this folder; DataError names the file and line that cannot be read.

    A run that still says "running" although the process that wrote it is gone from this machine
    is "interrupted". Whether a process on another machine lives cannot be told from here.
    """
    path = Path(path)
    run = _head(path)
    if run.state == "running" and run.process is not None and is_gone(run.process):
        # It may have ended in the moment between reading its file and looking for its process.
        run = _head(path)
        run = replace(run, state=INTERRUPTED) if run.state == "running" else run
    return replace(
        run,
        params=_texts(path / "params.json", what="parameter"),
        tags=_texts(path / "tags.json", what="tag"),
        metrics=_latest(_points(path / "metrics.jsonl")),
    )


def list_runs(root: Path | str) -> tuple[RunFolder, ...]:
    """All runs below a folder, newest first; warns about each folder that cannot be read."""
    return tuple(sorted(_readable(find_runs(root)), key=lambda run: run.started_at, reverse=True))


def find_runs(root: Path | str) -> tuple[Path, ...]:
    """The folders of runs in ``<root>/<experiment>/runs/<id>``, sorted.

    ``root`` may also be the folder of one experiment, or that of a single run.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"there is no folder {root}")
    if (root / "meta.json").exists():
        return (root,)
    below = [*root.glob("runs/*"), *root.glob("*/runs/*")]
    return tuple(sorted(path for path in below if path.is_dir() and path.name[0] != "."))


def _readable(paths: Iterable[Path]) -> Iterator[RunFolder]:
    for path in paths:
        try:
            yield read_run(path)
        except DataError as error:
            warnings.warn(f"left out {path}: {error}", stacklevel=3)


def _head(path: Path) -> RunFolder:
    document = _document(path / "meta.json")
    try:
        return _checked(_decoded(path, document))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"meta.json does not describe a run: {error!r}") from error


def _decoded(path: Path, document: Mapping[str, Any]) -> RunFolder:
    found = document.get("format"), document.get("format_version")
    if found != (FORMAT, FORMAT_VERSION):
        raise DataError(f"meta.json is not of the format {FORMAT} {FORMAT_VERSION}")
    ended, process = document["ended_at"], document["process"]
    return RunFolder(
        path=path,
        id=check_run_id(document["id"]),
        name=check_name(document["name"], what="run's name"),
        experiment=check_name(document["experiment"], what="experiment"),
        state=document["state"],
        started_at=_moment(document["started_at"]),
        ended_at=None if ended is None else _moment(ended),
        message=check_text(document["message"], what="message"),
        versions={str(name): str(version) for name, version in document["versions"].items()},
        process=None if process is None else _spec(Process, process),
        dataset=_spec(DatasetSpec, document["dataset"]),
        model=_spec(ModelReport, document["model"]),
    )


def _checked(run: RunFolder) -> RunFolder:
    check_text(run.dataset.name, what="data set's name", longest=LONGEST_DATASET)
    check_text(run.dataset.sha256, what="data set's checksum", longest=64)
    check_text(run.model.solver, what="solver", longest=32)
    check_text(run.model.sha256, what="model's checksum", longest=64)
    if run.state not in STATES:
        raise DataError(f"meta.json: the state {shown(run.state)} is none of {', '.join(STATES)}")
    return run


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"the time {text} has no zone")
    return time


def _moment(text: str) -> datetime:
    """A time that can be brought to any time zone, as pages and databases do."""
    time = _time(text)
    if not EARLIEST <= time.year < LATEST:
        raise ValueError(f"the time {text} is not between {EARLIEST} and {LATEST}")
    return time


_KINDS = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "int | None": (int, type(None)),
    "bool | None": (bool, type(None)),
}


def _spec(kind: type[Spec], document: Mapping[str, Any]) -> Spec:
    """The dataclass of a document, each member of the type that it is annotated with."""
    spec = kind(**document)
    for member in fields(spec):
        value = getattr(spec, member.name)
        if type(value) not in _KINDS[str(member.type)]:
            raise TypeError(f"{member.name} is {shown(value)}")
        if isinstance(value, int) and value not in range(2**31):
            raise ValueError(f"{member.name} is {shown(value)}")
    return spec


def _texts(path: Path, *, what: str) -> dict[str, str]:
    document = _document(path)
    for key, value in document.items():
        check_key(key, what=what)
        check_text(value, what=f'{what} "{key}"')
    return document


def _points(path: Path) -> Iterator[MetricPoint]:
    lines = _content(path).split(b"\n")
    torn_or_empty = len(lines)
    for number, line in enumerate(lines, start=1):
        try:
            point = _point(line)
        except (ValueError, KeyError, TypeError, RecursionError, DataError) as error:
            # Only the last line has no end of line behind it.
            if number == torn_or_empty:
                return
            raise DataError(f"{path.name}, line {number}: {error}") from error
        yield point


def _point(line: bytes) -> MetricPoint:
    document = json.loads(line)
    at = _time(document["at"]) if "at" in document else None
    return checked_point(document["name"], document["step"], document["value"], at)


def _latest(points: Iterable[MetricPoint]) -> tuple[MetricPoint, ...]:
    return tuple({(point.name, point.step): point for point in points}.values())


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(_content(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path.name} is not readable: {error}") from error
    if not isinstance(document, dict):
        raise DataError(f"{path.name} holds no JSON object")
    return document


def _content(path: Path) -> bytes:
    try:
        return read_file(path, largest=LARGEST_FILE)
    except OSError as error:
        raise DataError(f"cannot read {path.name}: {error.strerror}") from error

"""The file tracker: writes a run into a folder of plain files while it happens; needs no server.

    with mlcore.tracking.start_run("runs", experiment="raisin", name="first try") as run:
        run.log_params({"lambda": 0.01})
        run.log_metric("loss", 0.52, step=1)
        run.log_training(result)

This is the one module that needs the time of day; it takes a clock. A process that is killed loses nothing
that a call has returned from. A power cut may cost the metrics since the last sync, which comes
with each point that is logged a second or more after the one before, and at the end; all else is
on the disk when its call returns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Self
from uuid import uuid4

from mlcore import artifact, run_training
from mlcore.bundle import Provenance
from mlcore.classifier import Classifier
from mlcore.errors import DataError, shown
from mlcore.files import copy_file, replace_file
from mlcore.run_folder import (
    RunFolder,
    checked_point,
    create_run,
    json_bytes,
    this_process,
    write_json,
    write_meta,
)
from mlcore.run_metrics import MetricLog
from mlcore.run_names import (
    as_text,
    check_file_path,
    check_folder_name,
    check_key,
    check_name,
    storable,
)
from mlcore.run_reading import list_runs, read_run
from mlcore.table import Table
from mlcore.training import TrainingResult

__all__ = ["RunFolder", "TrackedRun", "list_runs", "read_run", "start_run"]

Clock = Callable[[], datetime]
KEPT_FOR_THE_MODEL = ("model", "holdout.csv", "analysis.json")


def utc_now() -> datetime:
    return datetime.now(UTC)


def start_run(
    root: Path | str, *, experiment: str = "default", name: str = "", clock: Clock = utc_now
) -> TrackedRun:
    """Make ``<root>/<experiment>/runs/<id>`` and return the run, which is best used in ``with``.

    Any number of processes may start runs below the same root. DataError for names that cannot
    be a folder everywhere, or when the folder cannot be made.
    """
    check_folder_name(experiment, what="experiment")
    now = clock()
    if now.tzinfo is None:
        raise DataError("the clock gives times without a zone; use one like datetime.now(UTC)")
    identity = uuid4().hex
    head = RunFolder(
        path=Path(root) / experiment / "runs" / identity,
        id=identity,
        name=check_name(name or f"run {identity[:8]}", what="run's name"),
        experiment=experiment,
        state="running",
        started_at=now,
        versions=run_training.versions(),
        process=this_process(),
    )
    try:
        create_run(head)
    except OSError as error:
        raise DataError(f"cannot make the folder {head.path}: {error.strerror}") from error
    return TrackedRun(head, clock)


class TrackedRun:
    """One run that is being written, by one process; its threads may share it.

    In ``with`` it ends as finished, or as failed with the exception's message, which goes on.
    """

    def __init__(self, head: RunFolder, clock: Clock) -> None:
        self._head = head
        self._clock = clock
        self._lock = RLock()
        self._metrics = MetricLog(head.path / "metrics.jsonl", head.started_at)

    @property
    def id(self) -> str:
        return self._head.id

    @property
    def path(self) -> Path:
        return self._head.path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.finish()
            return
        try:
            self.fail(f"{type(error).__name__}: {error}".rstrip(": "))
        except (OSError, DataError) as second:
            error.add_note(f"The run {self.path} could not be closed: {second}")

    def finish(self) -> None:
        """End the run as finished. Ending a run that has ended changes nothing."""
        self._end("finished", self._head.message)

    def fail(self, message: str) -> None:
        """End the run as failed, with the reason."""
        self._end("failed", storable(message))

    def log_param(self, name: str, value: object) -> None:
        """Keep a setting as text. DataError if it was logged before with another value."""
        self.log_params({name: value})

    def log_params(self, params: Mapping[str, object]) -> None:
        """Keep settings as texts, None as an empty one: all of them, or none on a DataError."""
        with self._open():
            texts = _texts(params, what="parameter")
            known = self._head.params
            for key in texts.keys() & known.keys():
                if texts[key] != known[key]:
                    raise DataError(
                        f'the parameter "{key}" is {shown(known[key])} and cannot become '
                        f"{shown(texts[key])}: start a new run for another setting"
                    )
            write_json(self.path / "params.json", {**known, **texts})
            self._head = replace(self._head, params={**known, **texts})

    def set_tag(self, name: str, value: object) -> None:
        """Keep a remark; unlike a parameter it may change."""
        self.set_tags({name: value})

    def set_tags(self, tags: Mapping[str, object]) -> None:
        with self._open():
            known = {**self._head.tags, **_texts(tags, what="tag")}
            write_json(self.path / "tags.json", known)
            self._head = replace(self._head, tags=known)

    def log_metric(self, name: str, value: float, step: int = 0) -> None:
        """Append one point; logged again at the same step, the later value counts.

        DataError unless the value is finite and the step a whole number from 0 on.
        """
        self.log_metrics({name: value}, step)

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Append one point a metric: all of them, or none on a DataError."""
        self._append([(name, step, value) for name, value in metrics.items()])

    def log_text(self, text: str, name: str) -> None:
        """Keep a text as the file ``artifacts/<name>``; DataError for half a character."""
        try:
            content = text.encode()
        except UnicodeEncodeError as error:
            raise DataError(f"the text for {name} holds a lone surrogate: {error}") from error
        self._keep(name, content)

    def log_json(self, document: object, name: str) -> None:
        """Keep a document as the file ``artifacts/<name>``; DataError for NaN and foreign types."""
        self._keep(name, json_bytes(document, name=name))

    def log_artifact(self, path: Path | str, name: str | None = None) -> None:
        """Keep a copy of a file, or of a folder with all files in it.

        ``name`` is where it goes below ``artifacts``, by default its own name. A file of that
        name is replaced. DataError for links in a folder, and for names that lead elsewhere.
        """
        source = Path(path)
        name = source.name if name is None else name
        if source.exists() and not (source.is_dir() or source.is_file()):
            raise DataError(f"{source} is neither a file nor a folder; only those are kept")
        if source.is_dir():
            for file in sorted(found for found in source.rglob("*") if not found.is_dir()):
                if file.is_symlink():
                    raise DataError(f"{file} is a link; log the file that it leads to")
                self._copy(file, "/".join((name, *file.relative_to(source).parts)))
        else:
            self._copy(source, name)

    def log_model(self, result: TrainingResult) -> None:
        """Keep the model of a training; see ``log_classifier``."""
        self.log_classifier(
            result.classifier,
            result.provenance,
            dataset=run_training.data_name(result),
            holdout=result.holdout,
        )

    def log_classifier(
        self,
        classifier: Classifier,
        provenance: Provenance,
        *,
        dataset: str,
        holdout: Table | None = None,
    ) -> None:
        """Keep a model, wherever it was trained: its bundle, model card and profile.

        ``holdout`` holds labelled rows that it has not seen, on which others are compared with
        it. Once imported, the run can be registered and served. A run has one model: another one
        is an ArtifactError.
        """
        with self._open():
            sha256 = artifact.save_classifier(
                classifier, provenance, self._head.artifacts / "model"
            )
            files = run_training.companions(classifier, provenance, holdout)
            for name, content in files.items():
                replace_file(self.path / name, content)
            self._save(
                run_training.described(
                    self._head, classifier, provenance, dataset=dataset, sha256=sha256
                )
            )

    def log_training(self, result: TrainingResult) -> None:
        """Keep all of a training: settings, curves, metrics and the model, as a server would."""
        self.log_params(run_training.params(result))
        self._append(run_training.metrics(result))
        self.log_model(result)
        with self._open():
            found = json_bytes(result.analysis.to_dict(), name="analysis")
            replace_file(self._head.artifacts / "analysis.json", found)
        self.set_tag("dataset", self._head.dataset.name)

    @contextmanager
    def _open(self) -> Iterator[None]:
        """Hold the lock to write under; DataError once the run has ended."""
        with self._lock:
            if self._head.state != "running":
                raise DataError(f"the run {self.id} has {self._head.state}; start a new one")
            yield

    def _append(self, points: Iterable[tuple[str, int, float]]) -> None:
        now = self._clock()
        checked = [checked_point(*point, now) for point in points]
        with self._open():
            self._metrics.append(checked, now)

    def _keep(self, name: str, content: bytes) -> None:
        with self._open():
            replace_file(self._place(name), content)

    def _copy(self, source: Path, name: str) -> None:
        with self._open():
            copy_file(source, self._place(name))

    def _place(self, name: str) -> Path:
        parts = check_file_path(name)
        if parts[0] in KEPT_FOR_THE_MODEL:
            raise DataError(f"artifacts/{parts[0]} is kept for log_model; choose another name")
        return self._head.artifacts.joinpath(*parts)

    def _end(self, state: str, message: str) -> None:
        with self._lock:
            if self._head.state != "running":
                return
            self._metrics.sync()
            now = self._clock()
            self._save(replace(self._head, state=state, ended_at=now, message=message))
            self._metrics.close()

    def _save(self, head: RunFolder) -> None:
        write_meta(head)
        self._head = head


def _texts(values: Mapping[str, object], *, what: str) -> dict[str, str]:
    return {
        check_key(key, what=what): as_text(value, what=f'{what} "{key}"')
        for key, value in values.items()
    }

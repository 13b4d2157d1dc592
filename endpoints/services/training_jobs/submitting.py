"""Puts a training into the queue: what certainly fails is refused at once, the rest is a worker's to find."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from endpoints.errors import InvalidData, InvalidRequest
from endpoints.models import Dataset, Experiment, Run
from endpoints.models.dataset import DatasetState
from endpoints.models.run import RunState
from endpoints.services import access, leases, submissions
from endpoints.services.access import Caller, Need
from endpoints.services.training_jobs import specs
from mlcore.errors import CellError, did_you_mean, listed
from mlcore.features import MOST_CLASSES

DEFAULT_EXPERIMENT = "default"


def submit(  # noqa: PLR0913  what a form has
    dataset: Dataset,
    spec: Mapping[str, Any],
    *,
    experiment: str = "",
    name: str = "",
    actor: Caller,
    now: datetime,
    submission: str = "",
) -> Run:
    """Queue a training of the dataset and return its run; `spec` is what `specs.read` gives.

    `submission` names the form or request: sent twice, it queues one run. The dataset need not be read yet.
    Raises InvalidRequest with the field in `column`, or InvalidData for a dataset that cannot be read.
    """
    access.require(actor, Need.TRAIN)
    experiment, name = specs.in_one_line(experiment), specs.in_one_line(name)
    specs.check_names(experiment=experiment, name=name)
    specs.refuse_untrainable(spec["solver"])
    refuse_unfit(spec, dataset)
    experiment = experiment or DEFAULT_EXPERIMENT
    run = Run(
        pk=submissions.key_of(submission, actor, dataset.pk, spec, experiment, name),
        name=name or specs.default_name(spec),
        state=RunState.QUEUED,
        solver=spec["solver"],
        dataset=dataset,
        dataset_name=dataset.name,
        dataset_sha256=dataset.sha256,
        dataset_rows=dataset.rows or 0,
        synthetic=dataset.synthetic,
        spec=dict(spec),
        started_at=now,
        created_by=actor.person,
    )
    is_new = _queue(run, experiment, actor, now)
    queued = Run.objects.get(pk=run.pk)
    queued.is_new = is_new
    return queued


def _queue(run: Run, experiment: str, actor: Caller, now: datetime) -> bool:
    """Store the run and ring for it; False where it was asked for before, or just now."""
    if submissions.before(run, actor):
        return False
    try:
        with transaction.atomic():
            run.experiment, _ = Experiment.objects.get_or_create(name=experiment)
            run.save(force_insert=True)
            leases.queue(run, now)
    except IntegrityError:
        if submissions.known(run) is None:
            raise
        return False
    return True


def refuse_unfit(spec: Mapping[str, Any], dataset: Dataset) -> None:
    """Compare what was asked with the dataset's profile, once there is one."""
    if dataset.state == DatasetState.FAILED:
        raise InvalidData(f"{dataset.name} cannot be read: {dataset.message}")
    if dataset.state != DatasetState.READY:
        return
    columns = {column["name"]: column for column in dataset.columns}
    chosen = spec.get("columns") or ()
    problems = [_no_column("target", spec["target"], columns)]
    problems += [_no_column("columns", name, columns) for name in chosen]
    if spec["target"] in chosen:
        problems.append(_cell("columns", "The target cannot be a feature column too."))
    if spec["target"] in columns:
        problems.append(_no_target(spec, columns[spec["target"]]))
    found = [problem for problem in problems if problem is not None]
    if found:
        raise InvalidRequest(found[0].message, cells=found)
    specs.with_columns(spec, dataset.columns)


def _no_column(field: str, name: str, columns: Mapping[str, Any]) -> CellError | None:
    if name in columns:
        return None
    hint = did_you_mean(name, columns) or "."
    return _cell(field, f'There is no column "{name}"{hint} The columns: {listed(columns)}.')


def _no_target(spec: Mapping[str, Any], target: Mapping[str, Any]) -> CellError | None:
    """Only what the profile tells for certain: as many values as a target may have are always counted."""
    distinct, levels = target["distinct"], [level for level, _ in target["levels"]]
    if distinct < 2:
        return _cell("target", f'"{target["name"]}" has no two classes: {target["warning"]}')
    if distinct > MOST_CLASSES:
        return _cell(
            "target",
            f'"{target["name"]}" has {distinct:,} different values; {MOST_CLASSES} classes are the most.',
        )
    if target.get("missing"):
        return _cell("target", _rows_without(target))
    positive = spec.get("positive")
    if positive is None or len(levels) < distinct or positive in levels:
        return None
    hint = did_you_mean(positive, levels) or "."
    return _cell("positive", f'"{positive}" is no class of "{target["name"]}"{hint}')


def _rows_without(target: Mapping[str, Any]) -> str:
    n, word = target["missing"], target.get("no_value")
    rows = "1 row" if n == 1 else f"{n:,} rows"
    why = f' ("{word}" counts as none)' if word else ""
    other = ", or call the class something else" if word else ""
    return f'"{target["name"]}" has no value in {rows}{why}: leave {"it" if n == 1 else "them"} out{other}.'


def _cell(field: str, message: str) -> CellError:
    return CellError("wrong_value", message, column=field)

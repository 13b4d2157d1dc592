"""Judges a version here, on rows of ours: what its uploader says is a claim until then.

A version and some rows always give the same numbers, so the same evaluation is kept once.
"""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from endpoints.errors import InvalidData
from endpoints.models import AlgorithmVersion, Evaluation
from endpoints.services import access, artifacts, audit
from endpoints.services.access import Caller, Need
from mlcore import datasets
from mlcore.errors import DataError
from mlcore.evaluation import evaluate
from mlcore.table import Table
from mlcore.textformats import parse_csv

LARGEST_CSV = 4 * 2**20
LONGEST_NAME = 200
HOLDOUT = "holdout rows"


def evaluate_here(
    *, version: AlgorithmVersion, table: Table, actor: Caller, now: datetime
) -> Evaluation:
    """Score a labelled table and keep the metrics; raises InvalidData where it does not fit."""
    access.require(actor, Need.REGISTER, version.endpoint)
    done = version.evaluations.filter(dataset_sha256=table.sha256).first()
    if done is not None:
        return done
    try:
        report = evaluate(artifacts.load(version), table)
    except DataError as error:
        raise InvalidData(
            f"{table.name} cannot judge {version.label}: {error}", cells=error.cells
        ) from error
    evaluation = Evaluation(
        version=version,
        dataset_name=table.name[:LONGEST_NAME],
        dataset_sha256=table.sha256,
        dataset_rows=len(table.rows),
        metrics=report.as_dict(),
        actor_name=actor.name,
        at=now,
    )
    try:
        _keep(evaluation, actor)
    except IntegrityError:  # a double click's other half was faster
        return version.evaluations.get(dataset_sha256=table.sha256)
    return evaluation


def evaluate_on_holdout(*, version: AlgorithmVersion, actor: Caller, now: datetime) -> Evaluation:
    """The same on the holdout rows of the version in production."""
    judge = holdout_of(version)
    if judge is None:
        raise InvalidData("There is no other version in production with holdout rows.")
    return evaluate_here(version=version, table=holdout_rows(judge), actor=actor, now=now)


def evaluate_on_csv(
    *, version: AlgorithmVersion, content: bytes, name: str, actor: Caller, now: datetime
) -> Evaluation:
    """The same on the rows of a CSV file."""
    if len(content) > LARGEST_CSV:
        raise InvalidData(f"The file has {len(content):,} bytes; {LARGEST_CSV:,} is the most here.")
    if name.lower().startswith(HOLDOUT):  # it must not pass for ours
        name = f"file “{name}”"
    try:
        table = parse_csv(content, name=name)
    except DataError as error:
        raise InvalidData(f"{name} cannot be read: {error}", cells=error.cells) from error
    return evaluate_here(version=version, table=table, actor=actor, now=now)


def holdout_of(version: AlgorithmVersion) -> AlgorithmVersion | None:
    """Return the production version whose holdout rows can judge this one, if there is one."""
    production = version.endpoint.versions.in_production().exclude(pk=version.pk)
    found = production.select_related("run").first()
    return found if found and artifacts.holdout_file(found.run).is_file() else None


def holdout_name(judge: AlgorithmVersion) -> str:
    return f"{HOLDOUT} of {judge.label}"


def holdout_rows(judge: AlgorithmVersion) -> Table:
    path, name = artifacts.holdout_file(judge.run), holdout_name(judge)
    try:
        return datasets.read_csv(path, name=name)
    except DataError as error:
        raise InvalidData(f"The {name} cannot be read: {error}") from error


@transaction.atomic
def _keep(evaluation: Evaluation, actor: Caller) -> None:
    evaluation.save(force_insert=True)
    audit.record(
        "evaluate",
        actor=actor,
        endpoint=evaluation.version.endpoint,
        subject=evaluation.version.label,
        now=evaluation.at,
        after={
            "dataset": evaluation.dataset_name,
            "sha256": evaluation.dataset_sha256,
            "rows": evaluation.dataset_rows,
        },
    )

"""The people, runs and endpoints that tests speak of, made through the product's services."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, Permission, User

from endpoints.models import (
    AlgorithmVersion,
    ApiKey,
    Endpoint,
    Experiment,
    Metric,
    Param,
    Run,
    Status,
    Tag,
)
from endpoints.models.run import new_run_id
from endpoints.roles import ROLES
from endpoints.services import catalog, keys, lifecycle, serving
from endpoints.services.access import Caller
from endpoints.services.serving import Answer, Question, Row
from endpoints.services.training import TrainingJob, run_training
from endpoints.services.transitions import Decision
from mlcore.datasets import synthetic_raisin
from mlcore.table import Table
from mlcore.training import TrainingSpec
from tests.live import ROW

THEN = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
REASON = "the best of the candidates"
SYSTEM = Caller(system="dana")

VIEWER = ROLES["viewer"]
ANALYST = (*ROLES["analyst"], "view_inputs")
SCIENTIST = (*ROLES["scientist"], "view_inputs")
APPROVER = (*ROLES["approver"], "view_inputs")
DEVELOPER = ROLES["developer"]


def person(name: str, permissions: tuple[str, ...] = VIEWER) -> User:
    """Return a user with a role's permissions, given one by one: a flushed database has no groups."""
    user = User.objects.create_user(name, password=name)
    ours = Permission.objects.filter(content_type__app_label="endpoints")
    user.user_permissions.set(ours.filter(codename__in=permissions))
    return user


def role(name: str) -> Group:
    """Return the group of a role, made again where a flushed database has lost it."""
    group, _ = Group.objects.get_or_create(name=name)
    ours = Permission.objects.filter(content_type__app_label="endpoints")
    group.permissions.set(ours.filter(codename__in=ROLES[name]))
    return group


def new_key(user: User, **facts: Any) -> tuple[ApiKey, str]:
    """Return a key and its text. Facts: scopes (all that its maker has), endpoint, expires_at."""
    scopes = keys.scopes_for(Caller(user=user))
    defaults = {"name": "tests", "scopes": scopes, "endpoint": None, "now": THEN}
    return keys.create(user=user, **defaults | facts)


@cache
def raisin_rows() -> Table:
    return synthetic_raisin()


@dataclass(frozen=True)
class Kept:
    """The rows of a finished run, to be stored again; its files stay in the home folder."""

    run: Run
    params: list[Param]
    metrics: list[Metric]
    tags: list[Tag]


_kept: dict[TrainingSpec, Kept] = {}


def trained_run(
    *, name: str = "", experiment: str = "raisin", by: User | None = None, **spec: Any
) -> Run:
    """Return a finished run on the synthetic rows; each spec (of TrainingSpec) is trained once."""
    recipe = TrainingSpec(**{"target": "Class", "positive": "Besni"} | spec)
    if recipe not in _kept:
        _kept[recipe] = _train(recipe)
    kept = _kept[recipe]
    run = copy(kept.run)
    run.pk = new_run_id()
    run.name = name or run.name
    run.experiment, _ = Experiment.objects.get_or_create(name=experiment)
    run.created_by = by
    run.artifact_path = f"runs/{run.pk}/model"
    shutil.copytree(folder_of(kept.run), folder_of(run))
    run.save(force_insert=True)
    _store(run, kept)
    return run


def folder_of(run: Run) -> Path:
    return Path(settings.RAISIN_HOME) / "runs" / run.pk


def _train(recipe: TrainingSpec) -> Kept:
    job = TrainingJob(table=raisin_rows(), spec=recipe, experiment="raisin", actor=SYSTEM)
    run = run_training(job, clock=lambda: THEN).run
    run.refresh_from_db()
    kept = Kept(copy(run), list(run.params.all()), list(run.metrics.all()), list(run.tags.all()))
    run.delete()
    return kept


def _store(run: Run, kept: Kept) -> None:
    Param.objects.bulk_create([Param(run=run, key=p.key, value=p.value) for p in kept.params])
    Metric.objects.bulk_create(
        [Metric(run=run, key=m.key, step=m.step, value=m.value) for m in kept.metrics]
    )
    Tag.objects.bulk_create([Tag(run=run, key=t.key, value=t.value) for t in kept.tags])


def an_endpoint(slug: str = "raisin", *, public: bool = True) -> Endpoint:
    return catalog.create_endpoint(
        slug=slug, name=slug.capitalize(), actor=SYSTEM, now=THEN, public_predictions=public
    )


def registered_version(
    endpoint: Endpoint, *, status: str = Status.TESTING, run: Run | None = None, **spec: Any
) -> AlgorithmVersion:
    """Return a version in testing, staging or production. Spec: of the run, if none is given."""
    run = run or trained_run(**spec)
    version = lifecycle.register(run=run, endpoint=endpoint, actor=SYSTEM, now=THEN)
    decision = Decision(actor=SYSTEM, now=THEN + timedelta(hours=version.number), reason=REASON)
    if status in (Status.STAGING, Status.PRODUCTION):
        lifecycle.stage(version=version, decision=decision)
    if status == Status.PRODUCTION:
        lifecycle.promote(version=version, decision=decision)
    return version


def raisin_endpoint() -> Endpoint:
    """Return the endpoint with v1 in production and v2, which is better, in staging."""
    endpoint = an_endpoint()
    # The larger penalty makes v1 worse by more than the gates allow, so v2 can replace it.
    registered_version(endpoint, status=Status.PRODUCTION, lambda_=0.1)
    registered_version(endpoint, status=Status.STAGING)
    return endpoint


def prediction(endpoint: Endpoint, *, rows: Sequence[Row] = (ROW,), now: datetime = THEN) -> Answer:
    """Return an answered and logged request."""
    return serving.predict(Question(endpoint=endpoint, rows=rows), clock=lambda: now)

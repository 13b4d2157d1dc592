"""The people, runs and endpoints that tests speak of, made through the product's services."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.contrib.auth.models import Group, Permission, User

from endpoints import request_ids
from endpoints.models import (
    AlgorithmVersion,
    ApiKey,
    Endpoint,
    Experiment,
    PredictionRequest,
    Run,
    Status,
    Webhook,
)
from endpoints.models.job import new_id
from endpoints.roles import ROLES
from endpoints.services import catalog, histograms, keys, lifecycle, request_log, serving
from endpoints.services.access import Caller
from endpoints.services.serving import Answer, Question, Row
from endpoints.services.tallies import Answered, Entry
from endpoints.services.training import TrainingJob, run_training
from endpoints.services.transitions import Decision
from mlcore.datasets import synthetic_raisin
from mlcore.table import Table
from mlcore.training import TrainingSpec
from tests.live import ROW
from tests.replay import Details, History

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
    """The rows and the files of a finished run, to be stored again."""

    run: Run
    details: Details
    analysis: dict[str, Any]
    files: dict[str, bytes]


_kept: dict[TrainingSpec, Kept] = {}


def trained_run(
    *, name: str = "", experiment: str = "raisin", by: User | None = None, **spec: Any
) -> Run:
    """Return a finished run on the synthetic rows; each spec (of TrainingSpec) is trained once."""
    recipe = TrainingSpec(**{"target": "Class", "positive": "Besni"} | spec)
    if recipe not in _kept:
        job = TrainingJob(table=raisin_rows(), spec=recipe, experiment="raisin", actor=SYSTEM)
        _kept[recipe] = keep(job)
    return again(_kept[recipe], name=name, experiment=experiment, by=by)


def again(kept: Kept, *, name: str = "", experiment: str = "raisin", by: User | None = None) -> Run:
    """Store a kept run once more, without its analysis, as a run and files of its own."""
    run = copy(kept.run)
    run.pk = new_id()
    run.name = name or run.name
    run.experiment, _ = Experiment.objects.get_or_create(name=experiment)
    run.created_by = by
    run.artifact_path = f"runs/{run.pk}/model"
    (folder_of(run) / "model").mkdir(parents=True)
    for place, content in kept.files.items():
        (folder_of(run) / place).write_bytes(content)
    run.save(force_insert=True)
    kept.details.store(run)
    return run


def folder_of(run: Run) -> Path:
    return Path(settings.RAISIN_HOME) / "runs" / run.pk


def keep(job: TrainingJob) -> Kept:
    """Train, and take the rows of the run away again."""
    run = run_training(job, clock=lambda: THEN).run
    run.refresh_from_db()
    folder = folder_of(run)
    paths = [path for path in folder.rglob("*") if path.is_file()]
    files = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
    kept = Kept(copy(run), Details.of(run), run.analysis.report, files)
    run.delete()
    return kept


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


_histories: list[History] = []


def raisin_endpoint() -> Endpoint:
    """Return the endpoint with v1 in production and v2, which is better, in staging.

    Services make it once; later its rows are written again, with runs and files of their own.
    """
    # The larger penalty makes v1 worse by more than the gates allow, so v2 can replace it.
    runs = trained_run(lambda_=0.1), trained_run()
    if _histories and not Webhook.objects.exists():  # whom services would tell
        return _histories[0].again(runs)
    endpoint = made_raisin(*runs)
    _histories.append(History.of(endpoint))
    return endpoint


def made_raisin(worse: Run, better: Run) -> Endpoint:
    """Make the same through the services."""
    endpoint = an_endpoint()
    registered_version(endpoint, status=Status.PRODUCTION, run=worse)
    registered_version(endpoint, status=Status.STAGING, run=better)
    return endpoint


def prediction(
    endpoint: Endpoint, *, rows: Sequence[Row] = (ROW,), now: datetime = THEN, **asked: Any
) -> Answer:
    """Return an answered and logged request. Asked: more of the Question, such as `version`."""
    caller = Caller(system="tests")
    question = Question(slug=endpoint.slug, rows=rows, caller=caller, **asked)
    return serving.predict(question, clock=lambda: now)


def copies(
    like: PredictionRequest,
    moments: Iterable[datetime],
    *,
    rows: Sequence[list[Any]] | None = None,
    **facts: Any,
) -> list[UUID]:
    """Log copies of a request of one row and two classes, one a moment.

    Rows: the inputs of each. Facts: columns that differ from those of the request in all of them.
    """
    version = facts.pop("version", like.version)
    facts = {"endpoint_id": version.endpoint_id, "version_id": version.pk} | facts
    columns = {name: getattr(like, name) for name in Entry._fields} | facts
    for name in ("inputs", "imputed", "probabilities", "predictions", "shadow"):
        columns[name] = orjson.dumps(columns[name]).decode()
    positives = int(columns["predictions"] == "[1]")
    scores = {histograms.score_bin(columns["probability"]): 1}
    answered = []
    for place, at in enumerate(moments):
        own = {"id": request_ids.new(at).hex, "created_at": at}
        if rows is not None:
            own["inputs"] = orjson.dumps([rows[place]]).decode()
        entry = Entry(**columns | own)
        answered.append(Answered(entry, version.number, positives, scores))
    request_log.log().write_all(answered)
    return [UUID(item.entry.id) for item in answered]

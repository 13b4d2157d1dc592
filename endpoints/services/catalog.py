"""Finds or makes what a training names: the endpoint, and the Raisin table itself."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from endpoints.errors import Conflict, InvalidRequest
from endpoints.models import AlgorithmVersion, Endpoint
from endpoints.services import artifacts, audit
from endpoints.services.access import Caller
from mlcore import datasets
from mlcore.errors import ArtifactError
from mlcore.table import Table


def create_endpoint(
    *,
    slug: str,
    name: str,
    actor: Caller,
    now: datetime,
    public_predictions: bool = False,
    description: str = "",
) -> Endpoint:
    """Make an endpoint; raises InvalidRequest where its slug is unusable, Conflict where it is taken."""
    endpoint = Endpoint(
        slug=slug,
        name=name,
        description=description,
        public_predictions=public_predictions,
        created_at=now,
        created_by=actor.person,
    )
    try:
        endpoint.full_clean(validate_unique=False)
    except ValidationError as error:
        raise InvalidRequest(" ".join(error.messages)) from error
    try:
        with transaction.atomic():
            endpoint.save(force_insert=True)
            audit.record(
                "create", actor=actor, endpoint=endpoint, subject=f"endpoint {slug}", now=now
            )
    except IntegrityError as error:
        raise Conflict(f"There is an endpoint “{slug}” already.") from error
    return endpoint


def refuse_unusable_slug(slug: str) -> None:
    """Say what is wrong with a slug before a training is spent on it."""
    if not slug:
        raise InvalidRequest("The file's name makes no slug; name the endpoint with --endpoint.")
    if Endpoint.objects.filter(slug=slug).exists():
        return
    try:
        Endpoint(slug=slug, name=slug).clean_fields()
    except ValidationError as error:
        raise InvalidRequest(f"“{slug}” is no usable slug. {' '.join(error.messages)}") from error


def positive_class(*, slug: str, target: str, table: Table) -> str | None:
    """Return the class that 1 means at the endpoint today, if this table has it."""
    classes = _classes_in_production(slug)
    if classes is None or target not in table.header:
        return None
    return classes[1] if set(classes) == set(table.cells(target)) else None


def usual_positive_class(slug: str) -> str | None:
    """The same where nobody has looked into the data yet: a training refuses a class it lacks."""
    classes = _classes_in_production(slug)
    return classes[1] if classes else None


def _classes_in_production(slug: str) -> tuple[str, ...] | None:
    """The two classes of the version in production; None where there is none, or more classes."""
    production = AlgorithmVersion.objects.in_production().filter(endpoint__slug=slug).first()
    if production is None:
        return None
    try:
        classes = artifacts.load(production).classes
    except ArtifactError:
        return None
    return classes if len(classes) == 2 else None


def get_or_create_endpoint(*, slug: str, actor: Caller, now: datetime) -> Endpoint:
    found = Endpoint.objects.filter(slug=slug).first()
    name = slug.replace("-", " ").capitalize()
    return found or create_endpoint(slug=slug, name=name, actor=actor, now=now)


def raisin_table() -> Table:
    """Return the Raisin data: the given file, the cache, a download, else the synthetic stand-in."""
    given = Path(settings.RAISIN_CSV) if settings.RAISIN_CSV else None
    return datasets.raisin(given=given, cache=Path(settings.RAISIN_HOME) / "datasets")

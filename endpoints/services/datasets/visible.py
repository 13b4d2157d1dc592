"""Which datasets a caller may see, how much of one, and the only way for a view to obtain one."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Q

from endpoints.errors import NotFound
from endpoints.models import Dataset
from endpoints.models.dataset import DatasetQuerySet
from endpoints.services import access
from endpoints.services.access import Caller, Need
from endpoints.services.datasets.columns import is_feature
from mlcore.errors import cut

SHA256_DIGITS = 64


def datasets(actor: Caller) -> DatasetQuerySet:
    """Return those that are not archived: to who reads all runs, all; to others, those of their runs."""
    return _seen_by(actor).filter(archived_at=None)


def dataset(actor: Caller, key: str) -> Dataset:
    """Return a dataset by its id or SHA-256, be it archived or not."""
    name = "sha256" if len(key) == SHA256_DIGITS else "pk"
    found = _seen_by(actor).filter(**{name: key.lower()}).first()
    if found is None:
        raise NotFound(f"There is no dataset “{cut(key)}”.")
    return found


def shows_rows(actor: Caller, found: Dataset) -> bool:
    """Say whether the caller may read single rows: who trains, who brought them, who may see inputs."""
    is_own = actor.person is not None and actor.person.pk == found.created_by_id
    return is_own or actor.may(Need.TRAIN) or actor.may_everywhere(Need.VIEW_INPUTS)


def columns(actor: Caller, found: Dataset) -> list[dict[str, Any]]:
    """Return the profiles of the columns; of single rows only to whom they are shown."""
    profiles = [profile | {"feature": is_feature(profile)} for profile in found.columns]
    if shows_rows(actor, found):
        return profiles
    return [_without_rows(profile) for profile in profiles]


def _without_rows(profile: dict[str, Any]) -> dict[str, Any]:
    """What is no category, or names the rows, has a level a row: names, or numbers of customers."""
    is_shared = profile["kind"] == "category" and profile["feature"]
    levels = profile.get("levels", []) if is_shared else []
    return profile | {"examples": [], "levels": levels}


def _seen_by(actor: Caller) -> DatasetQuerySet:
    access.require(actor, Need.READ_RUNS)
    everything = DatasetQuerySet(Dataset)
    if access.reads_all_runs(actor):
        return everything
    trained = access.visible_runs(actor).filter(dataset=OuterRef("pk"))
    own = Q(created_by=actor.person) if actor.person is not None else Q(pk__in=())
    return everything.filter(Exists(trained) | own)

"""Which datasets a caller may see, and the only way for a view to obtain one."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q

from endpoints.errors import NotFound
from endpoints.models import Dataset
from endpoints.models.dataset import DatasetQuerySet
from endpoints.services import access
from endpoints.services.access import Caller, Need
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


def _seen_by(actor: Caller) -> DatasetQuerySet:
    access.require(actor, Need.READ_RUNS)
    everything = DatasetQuerySet(Dataset)
    if access.reads_all_runs(actor):
        return everything
    trained = access.visible_runs(actor).filter(dataset=OuterRef("pk"))
    own = Q(created_by=actor.person) if actor.person is not None else Q(pk__in=())
    return everything.filter(Exists(trained) | own)

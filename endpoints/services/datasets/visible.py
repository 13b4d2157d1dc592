"""Which datasets a caller may see, how much of one, and the only way for a view to obtain one."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import Exists, OuterRef, Q

from endpoints.errors import NotFound
from endpoints.models import Dataset, Run
from endpoints.models.dataset import DatasetQuerySet
from endpoints.services import access
from endpoints.services.access import Caller, Need
from endpoints.services.datasets.columns import general_warning_of, is_feature, warning_of
from mlcore.errors import cut

SHA256_DIGITS = 64
LEAST_SHOWN = 5
"""Of a rarer level one knows which rows it stands for."""
_CELL_IN_TEXT = re.compile(
    r""", got (['"])(?:.*\1|.*)|, such as (?:.*(?=; write |: it reads )|.*)""", re.DOTALL
)


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


def shows_rows(actor: Caller, found: Dataset | Run) -> bool:
    """Say whether the caller may read single rows: who trains, who brought them, who may see inputs."""
    is_own = actor.person is not None and actor.person.pk == found.created_by_id
    return is_own or actor.may(Need.TRAIN) or actor.may_everywhere(Need.VIEW_INPUTS)


def columns(actor: Caller, found: Dataset) -> list[dict[str, Any]]:
    """Return the profiles of the columns; of single rows only to whom they are shown."""
    seen = _with_rows if shows_rows(actor, found) else _without_rows
    return [seen(profile | {"feature": is_feature(profile)}) for profile in found.columns]


def problems(actor: Caller, found: Dataset | Run) -> list[dict[str, Any]]:
    """Return the places of a failure; what stands there only to whom single rows are shown."""
    if shows_rows(actor, found):
        return list(found.problems)
    return [
        place | {"value": None, "message": _without_cells(str(place.get("message") or ""))}
        for place in found.problems
    ]


def message(actor: Caller, found: Dataset | Run) -> str:
    """Return how it ended; a cell of it is quoted only to whom single rows are shown."""
    general = _without_cells(found.message)
    return found.message if general != found.message and shows_rows(actor, found) else general


def _without_cells(text: str) -> str:
    return _CELL_IN_TEXT.sub("", text)


def _with_rows(profile: dict[str, Any]) -> dict[str, Any]:
    return _told(profile) | {"warning": warning_of(profile)}


def _without_rows(profile: dict[str, Any]) -> dict[str, Any]:
    """What is no category, or names the rows, has a level a row: names, or numbers of customers."""
    is_shared = profile["kind"] == "category" and profile["feature"]
    levels = [
        level for level in profile.get("levels") or () if is_shared and level[1] >= LEAST_SHOWN
    ]
    warning = general_warning_of(profile)
    return _told(profile) | {"examples": [], "levels": levels, "warning": warning}


def _told(profile: dict[str, Any]) -> dict[str, Any]:
    return {name: fact for name, fact in profile.items() if name not in ("odd", "no_value")}


def _seen_by(actor: Caller) -> DatasetQuerySet:
    access.require(actor, Need.READ_RUNS)
    everything = DatasetQuerySet(Dataset)
    if access.reads_all_runs(actor):
        return everything
    trained = access.visible_runs(actor).filter(dataset=OuterRef("pk"))
    own = Q(created_by=actor.person) if actor.person is not None else Q(pk__in=())
    return everything.filter(Exists(trained) | own)

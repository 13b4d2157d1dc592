"""Which batches a caller may see: their own, and all of an endpoint whose inputs they may see."""

from __future__ import annotations

import re

from django.db.models import Q, QuerySet

from endpoints.errors import NotFound
from endpoints.models import BatchJob, Endpoint
from endpoints.models.batch import BatchState
from endpoints.services import access
from endpoints.services.access import Caller, Need
from endpoints.services.batches import admitting
from mlcore.errors import cut

ID = re.compile("[0-9a-f]{32}")
JOBS_A_FILE = 10
"""So many jobs a file are looked through at most, on average."""


def jobs(actor: Caller) -> QuerySet[BatchJob]:
    """Return them, the newest first; raises NotAuthenticated."""
    admitting.require_known(actor)
    rows = BatchJob.objects.select_related("endpoint", "version__endpoint", "rerun_of")
    if actor.system:
        return rows
    visible = _own(actor) & _reached(actor)
    if actor.may(Need.VIEW_INPUTS):
        visible |= Q(endpoint__in=access.endpoints_where(actor, Need.VIEW_INPUTS))
    return rows.filter(visible)


def job(actor: Caller, key: str) -> BatchJob:
    """Return one of them; one that is not there and a foreign one look alike."""
    is_id = ID.fullmatch(key) is not None  # a database refuses to compare some texts
    found = jobs(actor).filter(pk=key).first() if is_id else None
    if found is None:
        raise NotFound(f"There is no batch job “{cut(key)}”.")
    return found


def kept_files(actor: Caller, endpoint: Endpoint, *, most: int) -> list[BatchJob]:
    """Return the newest job of each file of an endpoint that is still kept and was read."""
    big = "check_report", "report", "cursor", "problems"
    found = jobs(actor).filter(endpoint=endpoint).exclude(state=BatchState.EXPIRED).defer(*big)
    by_content: dict[str, BatchJob] = {}
    for job in found[: most * JOBS_A_FILE]:
        if job.reading:
            by_content.setdefault(job.sha256, job)
    return list(by_content.values())[:most]


def _own(actor: Caller) -> Q:
    own = Q(pk__in=())
    if actor.key is not None:
        own |= Q(key=actor.key)
    if actor.person is not None:
        own |= Q(created_by=actor.person)
    return own


def _reached(actor: Caller) -> Q:
    """Whoever is a member no more sees nothing there, not even what was theirs."""
    reached = Q(endpoint__members_only=False)
    if actor.may(Need.READ):
        reached |= Q(endpoint__in=access.visible_endpoints(actor))
    elif actor.may(Need.PREDICT):
        reached |= Q(endpoint__in=access.endpoints_where(actor, Need.PREDICT))
    return reached

"""Puts datasets away that nobody should choose any more; runs and their files keep them."""

from __future__ import annotations

from datetime import datetime

from endpoints.models import Dataset
from endpoints.services import access, audit
from endpoints.services.access import Caller, Need


def archive(dataset: Dataset, *, actor: Caller, now: datetime) -> None:
    """Leave it out of lists; sent again, the same content brings it back. Twice is no error."""
    access.require(actor, Need.TRAIN)
    if Dataset.objects.filter(pk=dataset.pk, archived_at=None).update(archived_at=now):
        subject = f"dataset {dataset.name}"[:200]
        audit.record("archive", actor=actor, endpoint=None, subject=subject, now=now)
    dataset.refresh_from_db()

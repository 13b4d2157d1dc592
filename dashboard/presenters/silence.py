"""Says of a job since when no worker has been heard of, where that is longer than a living one takes."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from endpoints.models.job import Job

GOES_ON = "No worker has been heard of since {}; it goes on when one is."
BEGINS = "No worker has been heard of since {}; it begins when one is."
GONE = "Nothing has been heard of its process since {}: it has probably ended."


def silence(job: Job, now: datetime) -> str:
    """Return the sentence, or "" while nothing speaks against a living worker."""
    lease = timedelta(seconds=settings.RAISIN_LEASE_SECONDS)
    heard = job.heartbeat_at
    if heard is None:
        return ""
    if job.state in job.WORK:  # the bell rings anew once a lease, after at most a third of one more
        return BEGINS.format(clock(heard, now)) if now - heard > 2 * lease else ""
    if job.state not in job.WORK.values() or not job.worker or now - heard <= lease:
        return ""
    return (GOES_ON if job.can_begin_anew else GONE).format(clock(heard, now))


def clock(moment: datetime, now: datetime) -> str:
    """The time of day, with the date where that was another one."""
    local = timezone.localtime(moment)
    is_today = local.date() == timezone.localtime(now).date()
    return f"{local:%H:%M}" if is_today else f"{local.day} {local:%b %Y, %H:%M}"

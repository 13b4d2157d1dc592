"""Keys of new jobs that follow from what is asked for: the same form or request sent twice makes one job.

It stores nothing: the key of the first is the key of the second, until that job comes to nothing.
"""

from __future__ import annotations

import hashlib
import json
from typing import TypeVar

from endpoints.models.job import Job, new_id
from endpoints.services.access import Caller

_Job = TypeVar("_Job", bound=Job)


def key_of(submission: str, actor: Caller, *asked: object) -> str:
    """Return the key of the job for what is asked; without a submission a new one each time.

    `submission` names a form or request. Each caller has names of its own; and asked for something else, as
    the back button of a browser allows, it is another job.
    """
    if not submission:
        return new_id()
    return _hashed(json.dumps([submission, actor.identity, *asked], sort_keys=True))


def before(job: _Job, actor: Caller) -> _Job | None:
    """Return the job that was asked for under this one's key.

    One that came to nothing is asked for anew by whoever sees so and presses again: this one gets the next key
    then, the same for each press. Programs send again without looking: an API key gets its first job.
    """
    found = known(job)
    while found is not None and found.came_to_nothing and actor.key is None:
        job.pk = _hashed(str(job.pk))
        found = known(job)
    return found


def known(job: _Job) -> _Job | None:
    """Return what is stored under the job's key."""
    return type(job)._default_manager.filter(pk=job.pk).first()


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[: len(new_id())]

"""Keys of new jobs that follow from what is asked for: the same form or request sent twice makes one job.

It stores nothing: the key of the first is the key of the second.
"""

from __future__ import annotations

import hashlib
import json

from endpoints.models.job import new_id
from endpoints.services.access import Caller


def key_of(submission: str, actor: Caller, *asked: object) -> str:
    """Return the key of the job for what is asked; without a submission a new one each time.

    `submission` names a form or request. Each caller has names of its own; and asked for something else, as
    the back button of a browser allows, it is another job.
    """
    if not submission:
        return new_id()
    who = f"key {actor.key.prefix}" if actor.key is not None else f"person {actor.name}"
    said = json.dumps([submission, who, *asked], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[: len(new_id())]

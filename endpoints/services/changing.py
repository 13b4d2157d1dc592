"""Makes a change of an endpoint once and as a whole; of two people at once the second is told of the first.

It decides nothing: what is changed is its caller's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction
from django.db.models import F

from endpoints.errors import Conflict, InvalidRequest, InvalidTransition
from endpoints.models import AlgorithmVersion, Endpoint, StatusChange
from endpoints.services import access, recording
from endpoints.services.access import Need
from endpoints.services.snapshots import snapshots
from endpoints.services.transitions import TRANSITIONS, Decision


class Overtaken(Exception):
    """Somebody else changed what this change was based on."""


@contextmanager
def unless_overtaken(endpoint: Endpoint) -> Iterator[None]:
    """Change all or nothing; who comes second is told about the first, after his own traces are gone.

    The row that carries the revision makes rivals wait for one another on PostgreSQL, and a
    grown revision tells whoever remembers the endpoint that something has changed.
    """
    try:
        with transaction.atomic():
            Endpoint.objects.filter(pk=endpoint.pk).update(revision=F("revision") + 1)
            transaction.on_commit(snapshots.expire)
            yield
    except (Overtaken, IntegrityError) as error:
        raise Conflict(recording.who_was_first(endpoint)) from error


def once_of(
    version: AlgorithmVersion, verb: str, decision: Decision, change: Callable[[], StatusChange]
) -> StatusChange:
    """Do it to the version unless the same submission has."""
    done = once(version.endpoint, verb, TRANSITIONS[verb].need, decision, change)
    if done.version_id != version.pk:
        raise InvalidRequest("This submission has been used for another version.")
    return done


def once(
    endpoint: Endpoint,
    verb: str,
    need: Need,
    decision: Decision,
    change: Callable[[], StatusChange],
) -> StatusChange:
    """Do it unless the same submission has done it before, a moment ago or just now."""
    access.require(decision.actor, need, endpoint)
    done = recording.done_before(endpoint, verb, decision.submission)
    if done is not None:
        return done
    try:
        return change()
    except (Conflict, InvalidTransition):
        done = recording.done_before(endpoint, verb, decision.submission)
        if done is None:
            raise
        return done

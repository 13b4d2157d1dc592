"""The API keys of the person who asks: list, make, revoke; a key hands on no more than it has itself.

It knows no HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from endpoints.errors import NotAllowed, NotFound
from endpoints.models import ApiKey, Endpoint
from endpoints.services import access, keys
from endpoints.services.access import Caller, Need


@dataclass(frozen=True)
class KeySpec:
    """What a new key shall be; without an endpoint it works at every one."""

    name: str
    scopes: Sequence[str]
    endpoint: Endpoint | None = None
    expires_at: datetime | None = None


def listed(caller: Caller) -> QuerySet[ApiKey]:
    """Return the caller's own keys, of its endpoint alone where the caller is bound to one."""
    bound = caller.key.endpoint if caller.key is not None else None
    access.require(caller, Need.OWN_KEYS, bound)
    keys_of = ApiKey.objects.filter(created_by=caller.person).select_related("endpoint")
    return keys_of if bound is None else keys_of.filter(endpoint=bound)


def make(*, caller: Caller, wanted: KeySpec, now: datetime) -> tuple[ApiKey, str]:
    """Return the new key and its text, which nobody can see again."""
    access.require(caller, Need.OWN_KEYS, wanted.endpoint)
    if caller.key is not None:
        _refuse_more_than(caller.key, wanted)
    person = caller.person
    if person is None:
        raise NotAllowed("A key belongs to a person; the command line has none.")
    return keys.create(
        name=wanted.name,
        scopes=wanted.scopes,
        endpoint=wanted.endpoint,
        user=person,
        now=now,
        expires_at=wanted.expires_at,
    )


def revoke(*, caller: Caller, prefix: str, now: datetime) -> None:
    """End one of the caller's keys for good; ending it twice changes nothing."""
    key = listed(caller).filter(prefix=prefix).first()
    if key is None:
        raise NotFound(f"You have no key “{prefix[:16]}”.")
    keys.revoke(key, actor=caller, now=now)


def _refuse_more_than(key: ApiKey, wanted: KeySpec) -> None:
    more = sorted(set(wanted.scopes) - set(key.scopes))
    if more:
        raise NotAllowed(f"key {key.name} lacks the scope “{more[0]}” and cannot hand it on.")
    if key.expires_at is not None and (
        wanted.expires_at is None or wanted.expires_at > key.expires_at
    ):
        raise NotAllowed(
            f"key {key.name} ends at {key.expires_at:%Y-%m-%d %H:%M} UTC; "
            "a key that it makes cannot last longer."
        )

"""Makes, checks and revokes API keys; the secret is shown once and only its SHA-256 is kept.

It knows nothing of HTTP and remembers nothing: services.callers does that, for a moment.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q

from endpoints.errors import InvalidRequest, NotAllowed
from endpoints.models import ApiKey, Endpoint
from endpoints.models.endpoint import Scope
from endpoints.services import access, audit
from endpoints.services.access import Caller, Need

ALPHABET = string.ascii_letters + string.digits
SHAPE = re.compile(r"(rsn_[A-Za-z0-9]{8})_[A-Za-z0-9]{32}")
USE_IS_NOTED_EVERY = timedelta(minutes=1)
LONGEST_NAME = 80
NEEDED: dict[str, Need] = {
    Scope.PREDICT: Need.PREDICT,
    Scope.FEEDBACK: Need.FEEDBACK,
    Scope.READ: Need.READ,
    Scope.MANAGE: Need.OWN_KEYS,
}
"""What people must be allowed themselves before they hand it on to a key."""


def create(
    *,
    name: str,
    scopes: Sequence[str],
    endpoint: Endpoint | None,
    user: User,
    now: datetime,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Return the key and its text, which nobody can see again. No endpoint: it works at all.

    Raises NotAllowed without Need.OWN_KEYS, and for a scope that its maker does not have.
    """
    _check(name, scopes, expires_at, now)
    for scope in scopes:
        _require(Caller(user=user), scope, endpoint)
    prefix = f"rsn_{_random(8)}"
    text = f"{prefix}_{_random(32)}"
    with transaction.atomic():
        key = ApiKey.objects.create(
            name=name.strip(),
            prefix=prefix,
            secret_sha256=_sha256(text),
            scopes=sorted(set(scopes)),
            endpoint=endpoint,
            created_at=now,
            created_by=user,
            expires_at=expires_at,
        )
        _record("create_key", key, actor=Caller(user=user), now=now)
    return key, text


def authenticate(text: str, now: datetime) -> ApiKey | None:
    """Return the usable key with this text, or None whatever is wrong with it."""
    shape = SHAPE.fullmatch(text)
    if shape is None:
        return None
    known = ApiKey.objects.usable(now).select_related("endpoint", "created_by")
    key = known.filter(prefix=shape[1]).first()
    if key is None or not hmac.compare_digest(key.secret_sha256, _sha256(text)):
        return None
    _note_use(key, now)
    return key


def scopes_for(maker: Caller) -> list[Scope]:
    """Return what a person may hand on to a key, at one endpoint or at all."""
    return [scope for scope in Scope if maker.may(NEEDED[scope])]


def revoke(key: ApiKey, *, actor: Caller, now: datetime) -> None:
    """End a key for good; ending it twice changes nothing."""
    with transaction.atomic():
        if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
            key.revoked_at = now
            _record("revoke_key", key, actor=actor, now=now)


def limit(key: ApiKey, *, rate: float | None, actor: Caller, now: datetime) -> None:
    """Set how many requests a second a key may send; None leaves it to the site."""
    if rate is not None and not rate > 0:
        raise InvalidRequest("A rate is a number above 0, or empty for the site's limit.")
    with transaction.atomic():
        stored = ApiKey.objects.select_for_update().get(pk=key.pk)
        if stored.rate == rate:
            return
        ApiKey.objects.filter(pk=key.pk).update(rate=rate)
        audit.record(
            "limit_key",
            actor=actor,
            endpoint=key.endpoint,
            subject=f"API key {key}",
            now=now,
            before={"rate": stored.rate},
            after={"rate": rate},
        )


def _check(name: str, scopes: Sequence[str], expires_at: datetime | None, now: datetime) -> None:
    if not 1 <= len(name.strip()) <= LONGEST_NAME:
        raise InvalidRequest(f"Give the key a name of at most {LONGEST_NAME} characters.")
    unknown = sorted(set(scopes) - set(Scope.values))
    if unknown or not scopes:
        wrong = f"“{unknown[0][:80]}” is not a scope" if unknown else "The key needs a scope"
        raise InvalidRequest(f"{wrong}; choose from {', '.join(Scope.values)}.")
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest("The expiry date is in the past.")


def _require(maker: Caller, scope: str, endpoint: Endpoint | None) -> None:
    """A scope works whoever made the key, so nobody may hand on more than they have."""
    access.require(maker, Need.OWN_KEYS, endpoint)
    access.require(maker, NEEDED[scope], endpoint)
    acts_as_its_maker = scope == Scope.MANAGE
    if endpoint is None and not (acts_as_its_maker or maker.may_everywhere(NEEDED[scope])):
        raise NotAllowed(
            f"{maker.name} may “{scope}” at single endpoints alone; make the key for one of them."
        )


def _note_use(key: ApiKey, now: datetime) -> None:
    """Write at most once a minute, so that a busy key does not cost a write a request."""
    stale = now - USE_IS_NOTED_EVERY
    if key.last_used_at is not None and key.last_used_at > stale:
        return
    unnoted = Q(last_used_at=None) | Q(last_used_at__lte=stale)
    ApiKey.objects.filter(unnoted, pk=key.pk).update(last_used_at=now)
    key.last_used_at = now


def _record(verb: str, key: ApiKey, *, actor: Caller, now: datetime) -> None:
    facts = {"scopes": key.scopes, "endpoint": key.endpoint.slug if key.endpoint else None}
    audit.record(
        verb, actor=actor, endpoint=key.endpoint, subject=f"API key {key}", now=now, after=facts
    )


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()

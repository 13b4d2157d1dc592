"""What people write on a version's model card, and until when; it knows no Markdown and no pages.

The rest of the card is generated. A version that has ever answered keeps the texts on which it was
approved: a new text needs a new version.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime

from django.db import transaction

from endpoints.errors import Conflict, InvalidRequest, InvalidTransition
from endpoints.models import AlgorithmVersion, Endpoint, Status, StatusChange
from endpoints.services import access, audit
from endpoints.services.access import Caller, Need

LONGEST_TEXT = 20_000


@dataclass(frozen=True)
class CardTexts:
    """Both texts in Markdown. `digest` names them, so that an editor can say what he has seen."""

    intended_use: str
    limits: str

    @classmethod
    def of(cls, version: AlgorithmVersion) -> CardTexts:
        return cls(version.intended_use, version.limits)

    @property
    def digest(self) -> str:
        texts = json.dumps([self.intended_use, self.limits])
        return hashlib.sha256(texts.encode()).hexdigest()

    @property
    def missing(self) -> tuple[str, ...]:
        named = {"intended use": self.intended_use, "limits": self.limits}
        return tuple(name for name, text in named.items() if not text.strip())


def is_complete(version: AlgorithmVersion) -> bool:
    """Say whether people have written both what the version is for and where it must not be used."""
    return not CardTexts.of(version).missing


def is_frozen(version: AlgorithmVersion) -> bool:
    """Say whether the version is or has ever been in production."""
    changes = StatusChange.objects.into_production().filter(version=version)
    return version.status == Status.PRODUCTION or changes.exists()


def refuse_if_frozen(version: AlgorithmVersion) -> None:
    """Raise InvalidTransition once a change would rewrite what was approved."""
    if is_frozen(version):
        raise InvalidTransition(
            f"{version.label} has been in production: its card is kept as it was approved. "
            "Register a new version to say something else."
        )


def write(
    *, version: AlgorithmVersion, texts: CardTexts, seen: str, actor: Caller, now: datetime
) -> bool:
    """Replace both texts and say whether that changed anything; `seen` is the digest of the old ones.

    Raises Conflict if somebody else wrote since, and InvalidTransition once the card is frozen.
    """
    access.require(actor, Need.STAGE, version.endpoint)
    new = _checked(texts)
    with transaction.atomic():
        # A promotion writes this row first, so it is either over or waits until this is.
        Endpoint.objects.select_for_update().get(pk=version.endpoint_id)
        version.refresh_from_db(fields=("status", "intended_use", "limits"))
        old = CardTexts.of(version)
        refuse_if_frozen(version)
        if new == old:
            return False
        if seen != old.digest:
            raise Conflict(f"The card of {version.label} has changed since you opened it.")
        version.intended_use, version.limits = new.intended_use, new.limits
        version.save(update_fields=["intended_use", "limits"])
        _record(version, old, new, actor, now)
    return True


def _checked(texts: CardTexts) -> CardTexts:
    clean = CardTexts(_text(texts.intended_use), _text(texts.limits))
    for name, text in (("intended use", clean.intended_use), ("limits", clean.limits)):
        if len(text) > LONGEST_TEXT:
            raise InvalidRequest(
                f"The text on {name} has {len(text):,} characters; {LONGEST_TEXT:,} is the most."
            )
        if "\x00" in text:
            raise InvalidRequest(f"The text on {name} holds a null character.")
    return clean


def _text(typed: str) -> str:
    """Browsers send CRLF; an edit that changes nothing must not look like one."""
    return typed.replace("\r\n", "\n").replace("\r", "\n").strip("\n")


def _record(
    version: AlgorithmVersion, old: CardTexts, new: CardTexts, actor: Caller, now: datetime
) -> None:
    audit.record(
        "edit_card",
        actor=actor,
        endpoint=version.endpoint,
        subject=version.label,
        now=now,
        before=asdict(old),
        after={**asdict(new), "version": version.number},
    )

"""Changes the settings of an endpoint and the note of a version, and records who changed what; it knows no HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from endpoints.errors import InvalidRequest
from endpoints.models import AlgorithmVersion, Endpoint
from endpoints.models.endpoint import GatePolicy
from endpoints.services import access, audit
from endpoints.services.access import Caller, Need
from endpoints.services.snapshots import snapshots

SETTINGS = (
    "name",
    "description",
    "public_predictions",
    "primary_metric",
    "metric_direction",
    "metric_tolerance",
    "minimum_improvement",
    "latency_budget_ms",
    "gate_policy",
    "card_required",
    "second_person_required",
    "auto_promote",
    "members_only",
    "missing_values",
    "error_detail",
)
"""What may change while the endpoint lives; its slug stands in the callers' code."""
SWITCHED_OFF = MappingProxyType(
    {"gate_policy": GatePolicy.WARN, "card_required": False, "second_person_required": False}
)
"""What lets a version pass in spite of a gate; so it asks for the permission to override one."""


def configure(
    *, endpoint: Endpoint, settings: Mapping[str, Any], actor: Caller, now: datetime
) -> bool:
    """Give the endpoint these settings. Returns False if it has them already.

    Raises NotAllowed without Need.CONFIGURE, or without Need.OVERRIDE to switch a gate off;
    InvalidRequest for a setting that is unknown or out of bounds.
    """
    access.require(actor, Need.CONFIGURE, endpoint)
    unknown = sorted(set(settings) - set(SETTINGS))
    if unknown:
        raise InvalidRequest(f"“{unknown[0][:80]}” is no setting of an endpoint.")
    with transaction.atomic():
        # Of two people at once, the event of each tells what really was before.
        before = _locked(endpoint)
        changed = [name for name, value in settings.items() if value != getattr(before, name)]
        if not changed:
            return False
        if any((name, settings[name]) in SWITCHED_OFF.items() for name in changed):
            access.require(actor, Need.OVERRIDE, endpoint)
        _write(endpoint, {name: settings[name] for name in changed})
        transaction.on_commit(snapshots.expire)
        audit.record(
            "change",
            actor=actor,
            endpoint=endpoint,
            subject=f"endpoint {endpoint.slug}",
            now=now,
            before={name: getattr(before, name) for name in changed},
            after={name: settings[name] for name in changed},
        )
    return True


def annotate(*, version: AlgorithmVersion, note: str, actor: Caller, now: datetime) -> bool:
    """Give the version this note. Returns False if it has it already.

    Raises NotAllowed without Need.STAGE.
    """
    access.require(actor, Need.STAGE, version.endpoint)
    with transaction.atomic():
        _locked(version.endpoint)
        version.refresh_from_db(fields=["note"])
        before = version.note
        if note == before:
            return False
        version.note = note
        version.save(update_fields=["note"])
        audit.record(
            "change",
            actor=actor,
            endpoint=version.endpoint,
            subject=version.label,
            now=now,
            before={"note": before},
            after={"note": note, "version": version.number},
        )
    return True


def _locked(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint as it is stored; who else wants to change it waits."""
    return Endpoint.objects.select_for_update().get(pk=endpoint.pk)


def _write(endpoint: Endpoint, settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        setattr(endpoint, name, value)
    others = {field.name for field in Endpoint._meta.fields} - set(settings)
    try:
        endpoint.clean_fields(exclude=others)
    except ValidationError as error:
        raise InvalidRequest(" ".join(error.messages)) from error
    endpoint.save(update_fields=list(settings))

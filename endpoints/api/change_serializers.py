"""How what happened to versions is written out: changes of status, gates, requests for a promotion."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rest_framework import serializers

from endpoints.models import PromotionRequest, StatusChange

GATE_FIELDS = ("code", "name", "verdict", "message", "value", "limit")


class ChangeSerializer(serializers.BaseSerializer[StatusChange]):
    def to_representation(self, instance: StatusChange) -> dict[str, Any]:
        return change_json(instance)


class PromotionRequestSerializer(serializers.ModelSerializer[PromotionRequest]):
    endpoint = serializers.CharField(source="version.endpoint.slug")
    version = serializers.IntegerField(source="version.number")
    requested_by = serializers.CharField(source="requested_by_name")
    outcome = serializers.SerializerMethodField()
    closed_by = serializers.SerializerMethodField()

    class Meta:
        model = PromotionRequest
        fields = (
            "id",
            "endpoint",
            "version",
            "note",
            "requested_by",
            "at",
            "outcome",
            "closed_by",
            "closed_at",
        )

    def get_outcome(self, request: PromotionRequest) -> str:
        return request.outcome or "open"

    def get_closed_by(self, request: PromotionRequest) -> str | None:
        return request.closed_by_name or None


def change_json(change: StatusChange, slug: str = "") -> dict[str, Any]:
    """Return a change in full. Slug: of its endpoint, where that is at hand."""
    return {
        "id": change.pk,
        "endpoint": slug or change.version.endpoint.slug,
        "version": change.version.number,
        **step_json(change),
        "gates": [gate_json(gate) for gate in change.gates],
    }


def gate_json(gate: Mapping[str, Any]) -> dict[str, str]:
    """Return a gate as it is or was; one that was stored before it learnt a field lacks it."""
    return {name: gate.get(name, "") for name in GATE_FIELDS}


def moment_json(moment: datetime | None) -> str | None:
    return serializers.DateTimeField().to_representation(moment) if moment is not None else None


def step_json(change: StatusChange) -> dict[str, Any]:
    return {
        "verb": change.verb,
        "from": change.from_status or None,
        "to": change.to_status,
        "by": change.actor_name,
        "at": moment_json(change.at),
        "reason": change.reason,
        "overridden": change.overridden,
    }

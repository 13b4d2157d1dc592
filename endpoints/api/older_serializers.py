"""How the resources for older clients are written out: flat, with ids, and JSON as text."""

from __future__ import annotations

import json
from typing import Any

from rest_framework import serializers

from endpoints.api.change_serializers import moment_json
from endpoints.errors import NoModel
from endpoints.models import AlgorithmVersion, PredictionRequest, StatusChange
from endpoints.services import serving
from endpoints.services.access import Need


class AlgorithmSerializer(serializers.BaseSerializer[AlgorithmVersion]):
    schema = "MLAlgorithm"

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return {
            "id": instance.pk,
            "name": instance.run.name,
            "description": instance.note,
            "version": instance.label,
            "created_by": instance.author or "",
            "created_at": moment_json(instance.created_at),
            "parent_endpoint": instance.endpoint_id,
            "current_status": instance.status,
        }


class StatusSerializer(serializers.BaseSerializer[StatusChange]):
    schema = "MLAlgorithmStatus"

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return {
            "id": instance.pk,
            "status": instance.to_status,
            "active": instance.latest == instance.pk,
            "created_by": instance.actor_name,
            "created_at": moment_json(instance.at),
            "parent_mlalgorithm": instance.version_id,
        }


class RequestSerializer(serializers.BaseSerializer[PredictionRequest]):
    """Of a request of one row, the row itself; of several, a list of them."""

    schema = "MLRequest"

    def to_representation(self, instance: Any) -> dict[str, Any]:
        classes, names = _classes_and_names(instance)
        labels = _labels(instance.predictions, classes)
        may_see = self.context["caller"].may(Need.VIEW_INPUTS, instance.endpoint)
        return {
            "id": str(instance.pk),
            "input_data": _text(_rows(instance, names)) if may_see else None,
            "full_response": _text(_answers(labels, instance.probabilities)),
            "response": labels[0] if instance.row_count == 1 else json.dumps(labels),
            "feedback": _feedback(instance),
            "created_at": moment_json(instance.created_at),
            "parent_mlalgorithm": instance.version_id,
            "parent_abtest": instance.arm.phase.test_id if instance.arm is not None else None,
            "arm": instance.arm.name if instance.arm is not None else None,
            "unit_id": instance.unit,
            "shadow_response": _shadow(instance.shadow, classes),
        }


def _classes_and_names(request: PredictionRequest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what the numbers in the log mean; nothing while the artefact cannot be read."""
    try:
        classifier = serving.load(request.version)
    except NoModel:
        return (), ()
    return tuple(classifier.classes), tuple(classifier.schema.names)


def _rows(request: PredictionRequest, names: tuple[str, ...]) -> list[Any]:
    rows: list[Any] = request.inputs
    return [dict(zip(names, row, strict=True)) for row in rows] if names else rows


def _labels(predictions: list[int], classes: tuple[str, ...]) -> list[str]:
    return [classes[number] if classes else str(number) for number in predictions]


def _answers(labels: list[str], probabilities: list[Any]) -> list[Any]:
    return [
        {"label": label, "probability": probability, "status": "OK"}
        for label, probability in zip(labels, probabilities, strict=True)
    ]


def _shadow(said: dict[str, Any], classes: tuple[str, ...]) -> str | None:
    """Return what the challenger of a shadow test says; the classes of both arms are the same."""
    if not said:
        return None
    return _text(_answers(_labels(said["predictions"], classes), said["probabilities"]))


def _feedback(request: Any) -> str | None:
    """Return the true label, or of several rows a list with null where none came yet."""
    labels = {label.row: label.label for label in request.labels}
    if request.row_count == 1 or not labels:
        return labels.get(0)
    return json.dumps([labels.get(row) for row in range(request.row_count)])


def _text(rows: list[Any]) -> str:
    return json.dumps(rows[0] if len(rows) == 1 else rows)

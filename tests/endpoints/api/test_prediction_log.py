"""An answered request is a logged request, and only an answered one."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from endpoints.models import Endpoint, PredictionRequest
from endpoints.services import request_log
from tests.cast import ROW
from tests.endpoints.api.client import PREDICT, post

pytestmark = pytest.mark.django_db


def test_it_works(api: APIClient, raisin: Endpoint) -> None:
    answer = post(api, PREDICT, ROW).json()
    logged = PredictionRequest.objects.select_related("endpoint", "version").get()
    assert logged.pk == uuid.UUID(answer["request_id"])
    assert (logged.endpoint.slug, logged.version.number) == ("raisin", answer["version"])
    assert logged.source == "api"
    assert logged.inputs == [list(ROW.values())]
    assert logged.probabilities == [answer["probability"]]
    assert logged.probability == answer["probability"]
    assert logged.predictions == [answer["prediction"]]
    assert logged.label == answer["label"]
    assert logged.threshold == answer["threshold"]
    assert timezone.now() - logged.created_at < timedelta(minutes=1)


def test_it_records_inputs_in_the_order_of_the_schema(api: APIClient, raisin: Endpoint) -> None:
    post(api, PREDICT, dict(reversed(ROW.items())))
    assert PredictionRequest.objects.get().inputs == [list(ROW.values())]


def test_it_records_every_request(api: APIClient, raisin: Endpoint) -> None:
    ids = {post(api, PREDICT, ROW).json()["request_id"] for _ in range(3)}
    assert {str(key) for key in PredictionRequest.objects.values_list("pk", flat=True)} == ids


def test_what_cannot_be_logged_is_not_answered(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(entry: PredictionRequest) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(request_log, "write", full_disk)
    response = post(APIClient(raise_request_exception=False), PREDICT, ROW)
    assert response.status_code == 500
    assert b"probability" not in response.content

"""A null is filled as in training, and the answer says which columns were."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rest_framework.test import APIClient

from endpoints.models import Endpoint, PredictionRequest
from endpoints.services import snapshots
from mlcore.schema import Schema
from tests.cast import ROW
from tests.endpoints.api.client import PREDICT, post

GAP = ROW | {"Area": None}


@pytest.fixture(autouse=True)
def fills(raisin: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let v1 be trained on a table in which every column had a gap."""
    classifier = snapshots.load(raisin.versions.get(number=1))
    columns = [replace(column, fill=87_524.0) for column in classifier.schema.columns]
    tolerant = replace(classifier, schema=Schema(tuple(columns)))
    monkeypatch.setattr(snapshots, "load", lambda version: tolerant)


def test_it_works(api: APIClient) -> None:
    answer = post(api, PREDICT, GAP).json()
    assert answer["imputed"] == ["Area"]
    assert answer["probability"] == post(api, PREDICT, ROW).json()["probability"]


def test_many_rows_have_a_list_each(api: APIClient) -> None:
    assert post(api, PREDICT, {"rows": [ROW, GAP]}).json()["imputed"] == [[], ["Area"]]


def test_it_records_the_filled_value(api: APIClient) -> None:
    post(api, PREDICT, GAP)
    logged = PredictionRequest.objects.get()
    assert logged.inputs[0][0] == 87_524.0
    assert logged.imputed == [["Area"]]

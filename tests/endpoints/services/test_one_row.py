"""A request of one row takes the short way to the same answer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from endpoints.models import Endpoint, PredictionRequest
from endpoints.services import serving
from endpoints.services.serving import Row
from mlcore.schema import Schema
from tests import cast
from tests.cast import ROW

pytestmark = pytest.mark.django_db


def logged(endpoint: Endpoint, rows: Sequence[Row]) -> PredictionRequest:
    return PredictionRequest.objects.get(pk=cast.prediction(endpoint, rows=rows).request_id)


def test_it_works(raisin: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = logged(raisin, [ROW, ROW])
    monkeypatch.setattr(Schema, "read", None)
    alone = logged(raisin, [ROW])
    assert alone.probabilities == expected.probabilities[:1]
    assert alone.predictions == expected.predictions[:1]
    assert alone.inputs == expected.inputs[:1]
    assert alone.imputed == expected.imputed == []


def test_a_list_is_logged_like_an_object(raisin: Endpoint) -> None:
    as_list, as_object = logged(raisin, [list(ROW.values())]), logged(raisin, [ROW])
    assert as_list.inputs == as_object.inputs
    assert as_list.probabilities == as_object.probabilities


def test_integers_are_logged_as_the_numbers_that_were_scored(raisin: Endpoint) -> None:
    (inputs,) = logged(raisin, [ROW | {"Area": 87524}]).inputs
    assert type(inputs[0]) is float


def test_a_classifier_stays_in_memory_with_its_threshold(raisin: Endpoint) -> None:
    version = raisin.versions.get(number=1)
    first = serving.load(version)
    assert serving.load(raisin.versions.get(number=1)) is first
    version.threshold = 0.9
    strict = serving.load(version)
    assert (first.threshold, strict.threshold) == (0.5, 0.9)
    assert serving.load(raisin.versions.get(number=1)) is first

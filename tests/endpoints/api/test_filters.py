"""The filter of predictions, which pages and REST share."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.http import QueryDict

from endpoints.filters import PredictionFilter
from endpoints.models import Endpoint, PredictionRequest
from endpoints.services import feedback
from endpoints.services.access import Caller
from tests.cast import ROW, THEN, prediction

pytestmark = pytest.mark.django_db


@pytest.fixture
def two(raisin: Endpoint) -> list[PredictionRequest]:
    """Return a small grain that was labelled, and a large one an hour later that was not."""
    small = prediction(raisin, rows=[ROW | {"Area": 1, "Perimeter": 1}])
    large = prediction(raisin, now=THEN + timedelta(hours=1))
    logged = [PredictionRequest.objects.get(pk=answer.request_id) for answer in (small, large)]
    feedback.record(request=logged[0], label="Kecimen", row=0, actor=Caller(), now=THEN)
    return logged


def found(**query: str) -> list[PredictionRequest]:
    data = QueryDict(mutable=True)
    data.update(query)
    filtered = PredictionFilter(data, endpoint=Endpoint.objects.get())
    assert filtered.is_valid(), filtered.errors
    return list(filtered.qs.order_by("id"))


def test_without_a_filter_all_are_found(two: list[PredictionRequest]) -> None:
    assert found() == two


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ({"version": "1"}, [0, 1]),
        ({"version": "2"}, []),
        ({"source": "api"}, [0, 1]),
        ({"source": "try"}, []),
        ({"labelled": "true"}, [0]),
        ({"labelled": "false"}, [1]),
        ({"since": "2026-11-02T10:00:00Z"}, [1]),
        ({"until": "2026-11-02T10:00"}, [0]),
        ({"since": "2026-11-02"}, [0, 1]),
        ({"probability_min": "0", "probability_max": "1"}, [0, 1]),
    ],
)
def test_it_works(two: list[PredictionRequest], query: dict[str, str], places: list[int]) -> None:
    assert found(**query) == [two[place] for place in places]


def test_it_finds_by_probability(two: list[PredictionRequest]) -> None:
    low, high = sorted(two, key=lambda logged: logged.probability or 0)
    middle = str(((low.probability or 0) + (high.probability or 0)) / 2)
    assert found(probability_max=middle) == [low]
    assert found(probability_min=middle) == [high]


def test_it_finds_one_by_its_id(two: list[PredictionRequest]) -> None:
    assert found(request_id=str(two[1].pk)) == [two[1]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", "first"),
        ("version", "0"),
        ("version", str(10**30)),
        ("version", "\x00"),
        ("source", "mail"),
        ("probability_min", "2"),
        ("probability_min", "NaN"),
        ("probability_max", "-0.1"),
        ("since", "yesterday"),
        ("since", "0001-01-01T00:00:00+23:59"),
        ("until", "9999-12-31T23:59:59-23:59"),
        ("request_id", "7"),
        ("request_id", "\x00"),
    ],
)
def test_it_refuses(two: list[PredictionRequest], name: str, value: str) -> None:
    filtered = PredictionFilter({name: value}, endpoint=Endpoint.objects.get())
    assert list(filtered.errors) == [name]

"""The filter of predictions, which pages and REST share."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.http import QueryDict

from endpoints.filters import PredictionFilter
from endpoints.models import Endpoint, PredictionRequest
from endpoints.services import feedback
from endpoints.services.access import Caller
from tests.cast import ROW, THEN, an_endpoint, prediction
from tests.endpoints.services.abtests import trial

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


def test_requests_of_a_test_are_found_by_arm_and_unit(raisin: Endpoint) -> None:
    before = prediction(raisin, unit="user-1").request_id
    first = trial.running_test(raisin, raisin.versions.get(number=2), kind="split")
    a, b = (prediction(raisin, unit=unit).request_id for unit in ("user-0", "user-1"))
    trial.new_phase(first)
    later = prediction(raisin, unit="user-1").request_id
    trial.stop(first)
    second = trial.running_test(raisin, raisin.versions.get(number=2), salt="other")
    shadow = prediction(raisin).request_id

    def ids(**query: str) -> set[UUID]:
        return {entry.pk for entry in found(**query)}

    assert ids(abtest=str(first.pk)) == {a, b, later}
    assert ids(abtest=str(first.pk), arm="control") == {a}
    assert ids(abtest=str(first.pk), arm="challenger") == {b, later}
    assert ids(abtest=str(second.pk)) == ids(arm="control") == {shadow}
    assert ids(arm="challenger") == ids(abtest="999") == set()
    assert ids(unit="user-1") == {before, b, later}
    assert ids(unit="user-1", abtest=str(first.pk)) == {b, later}
    assert ids(unit="user") == set()
    trial.stop(second)
    assert ids(arm="control") == set()


def test_a_test_of_another_endpoint_is_not_found(raisin: Endpoint) -> None:
    test = trial.running_test(raisin, raisin.versions.get(number=2))
    logged = prediction(raisin).request_id
    data = QueryDict(f"abtest={test.pk}")
    assert [entry.pk for entry in PredictionFilter(data, endpoint=raisin).qs] == [logged]
    other = PredictionFilter(data, endpoint=an_endpoint("other"))
    assert not other.look(PredictionRequest.objects.all()).exists()


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ({"version": "1"}, [0, 1]),
        ({"version": "2"}, []),
        ({"source": "api"}, [0, 1]),
        ({"source": "try"}, []),
        ({"source": "live"}, [0, 1]),
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


def test_what_was_tried_by_hand_is_not_live(two: list[PredictionRequest]) -> None:
    prediction(two[0].endpoint, source="try")
    assert found(source="live") == two


def test_without_a_caller_nobody_looks_into_rows(two: list[PredictionRequest]) -> None:
    query = {"version": "1", "cells": "missing", "feature": "Area"}
    unknown = PredictionFilter(query, endpoint=two[0].endpoint)
    assert list(unknown.errors) == ["cells"]
    known = PredictionFilter(query, endpoint=two[0].endpoint, caller=Caller(system="tests"))
    assert known.is_valid()
    assert list(known.matching(known.qs)) == []


@pytest.mark.parametrize(
    ("asked", "places"),
    [
        ({"feature": "Area", "cells": "outside"}, [0]),
        ({"feature": "Area", "cells": "present"}, [0, 1]),
        ({"feature": "Area", "cells": "between", "up_to": "1"}, [0]),
        ({"feature": "Area", "cells": "between", "above": "1"}, [1]),
        ({"cells": "score", "above": "0", "up_to": "1"}, [0, 1]),
        ({"cells": "score", "up_to": "0"}, []),
    ],
)
def test_it_looks_into_the_rows(
    two: list[PredictionRequest], asked: dict[str, str], places: list[int]
) -> None:
    caller = Caller(system="tests")
    filtered = PredictionFilter(asked | {"version": "1"}, endpoint=two[0].endpoint, caller=caller)
    matching = [(match.id, list(match.rows)) for match in filtered.matching(filtered.qs)]
    assert sorted(matching) == [(two[place].pk, [0]) for place in places]
    assert [list(filtered.rows_of(request)) for request in two] == [
        [0] if place in places else [] for place in (0, 1)
    ]


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
        ("cells", "odd"),
        ("above", "NaN"),
        ("up_to", "1e999"),
        ("feature", "\x00"),
    ],
)
def test_it_refuses(two: list[PredictionRequest], name: str, value: str) -> None:
    filtered = PredictionFilter({name: value}, endpoint=Endpoint.objects.get())
    assert list(filtered.errors) == [name]

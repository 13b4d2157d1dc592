"""Many label the same rows at the same moment, each on a connection of their own; on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from django.db import connection
from django.db.models import Count, Q

from endpoints.models import Endpoint, Feedback, PredictionRequest, RollUp
from endpoints.services import feedback
from tests import cast
from tests.endpoints.services.labelled import counted, items, logged, outcomes, send, stored

pytestmark = pytest.mark.django_db(transaction=True)
T = TypeVar("T")
NAMES = ("Kecimen", "Besni")


@pytest.fixture(autouse=True)
def emptied_log(transactional_db: None) -> Iterator[None]:
    """A flush empties the tables that Django made, and the log's it did not make."""
    yield
    PredictionRequest.objects.all().delete()
    RollUp.objects.all().delete()


def at_once(people: int, act: Callable[[int], T]) -> list[T]:
    """Let everybody begin at the same moment; whatever one of them meets is raised here."""
    start = threading.Barrier(people)

    def take_part(person: int) -> T:
        start.wait()
        try:
            return act(person)
        finally:
            connection.close()

    with ThreadPoolExecutor(people) as pool:
        return list(pool.map(take_part, range(people)))


def currents_by_row() -> set[int]:
    """Return how many current labels the rows have."""
    rows = Feedback.objects.order_by().values("request_id", "row")
    found = rows.annotate(currents=Count("pk", filter=Q(current=True)))
    return {row["currents"] for row in found}


def test_one_label_is_the_first_and_the_others_correct_it(raisin: Endpoint) -> None:
    request_id = str(cast.prediction(raisin).request_id)

    def label(person: int) -> list[str]:
        request = feedback.find_request(request_id, caller=cast.SYSTEM)
        return [
            feedback.record(
                request=request,
                label=NAMES[(person + turn) % 2],
                row=0,
                actor=cast.SYSTEM,
                now=cast.THEN,
            ).outcome
            for turn in range(5)
        ]

    said = [outcome for part in at_once(6, label) for outcome in part]
    assert said.count("recorded") == 1
    assert said.count("corrected") == Feedback.objects.count() - 1 > 0
    assert currents_by_row() == {1}
    assert counted() == stored()


def test_two_lists_in_opposite_order_do_not_wait_for_each_other(raisin: Endpoint) -> None:
    ids = logged(raisin, 900)

    def label(person: int) -> list[tuple[int, ...]]:
        turned = ids if person % 2 else ids[::-1]
        return [outcomes(send(items(turned, NAMES[(person + turn) % 2]))) for turn in range(3)]

    said = [sums for part in at_once(4, label) for sums in part]
    assert [sum(sums) for sums in said] == [900] * 12
    assert sum(sums[0] for sums in said) == 900  # each row has one first label
    assert currents_by_row() == {1}
    assert counted() == stored() == (900, stored()[1])


def test_single_labels_and_lists_agree(raisin: Endpoint) -> None:
    ids = logged(raisin, 120)

    def label(person: int) -> None:
        if person == 0:
            send(items(ids, *NAMES))
            return
        for request_id in ids[person::7]:
            request = feedback.find_request(str(request_id), caller=cast.SYSTEM)
            feedback.record(request=request, label="Besni", row=0, actor=cast.SYSTEM, now=cast.THEN)

    at_once(4, label)
    assert currents_by_row() == {1}
    assert counted() == stored() == (120, stored()[1])

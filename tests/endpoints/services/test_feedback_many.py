"""Thousands of labels in one list: the good ones are stored, the others counted and told by place."""

from __future__ import annotations

import uuid

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from endpoints.errors import NotAllowed, NotAuthenticated
from endpoints.models import Endpoint, Feedback, Status
from endpoints.models.endpoint import Scope
from endpoints.services import bulk_feedback, label_store
from endpoints.services.access import Caller
from endpoints.services.bulk_feedback import MOST_FAULTS, Item
from tests import cast
from tests.endpoints.services.labelled import items, logged, outcomes, send

pytestmark = pytest.mark.django_db
ANYBODY = Caller()


def labels() -> list[tuple[str, bool]]:
    return list(Feedback.objects.order_by("pk").values_list("label", "current"))


@pytest.fixture
def private(db: None) -> Endpoint:
    endpoint = cast.an_endpoint("private", public=False)
    cast.registered_version(endpoint, status=Status.PRODUCTION)
    return endpoint


def test_it_works(raisin: Endpoint) -> None:
    report = send(items(logged(raisin, 3), "Besni", "Kecimen", 1), caller=ANYBODY)
    assert outcomes(report) == (3, 0, 0, 0, 0)
    assert (report.received, report.matched, list(report.faults)) == (3, 3, [])
    stored = Feedback.objects.values_list("label", "current", "created_at", "actor_name")
    assert set(stored) == {
        ("Besni", True, cast.THEN, "anonymous"),
        ("Kecimen", True, cast.THEN, "anonymous"),
    }
    predicted = cast.prediction(raisin).labels[0]
    assert all(label.correct == (label.label == predicted) for label in Feedback.objects.all())


def test_it_tells_first_labels_corrections_and_duplicates_apart(raisin: Endpoint) -> None:
    ids = logged(raisin, 3)
    send(items(ids[:2], "Besni"))
    report = send(items(ids, "Besni", "Kecimen", "Kecimen"))
    assert outcomes(report) == (1, 1, 1, 0, 0)
    assert sorted(labels()) == [
        ("Besni", False), ("Besni", True), ("Kecimen", True), ("Kecimen", True),
    ]  # fmt: skip


def test_it_labels_rows_of_one_request(raisin: Endpoint) -> None:
    request_id = cast.prediction(raisin, rows=[cast.ROW] * 5).request_id
    sent = [Item(row, request_id, row, "Besni") for row in (4, 0, 2)]
    assert outcomes(send(sent)) == (3, 0, 0, 0, 0)
    assert set(Feedback.objects.values_list("row", flat=True)) == {0, 2, 4}
    again = [Item(row, request_id, row, "Besni") for row in range(5)]
    assert outcomes(send(again)) == (2, 0, 3, 0, 0)


def test_the_last_label_of_a_row_counts(raisin: Endpoint) -> None:
    [request_id] = logged(raisin, 1)
    report = send(items([request_id] * 3, "Besni", "Kecimen", "Besni"))
    assert outcomes(report) == (1, 0, 2, 0, 0)
    assert labels() == [("Besni", True)]
    report = send(items([request_id] * 2, "Besni", "Kecimen"))
    assert outcomes(report) == (0, 1, 1, 0, 0)
    assert labels() == [("Besni", False), ("Kecimen", True)]


def test_a_wrong_label_does_not_take_the_place_of_a_good_one(raisin: Endpoint) -> None:
    [request_id] = logged(raisin, 1)
    report = send(items([request_id] * 2, "Besni", "Sultana"))
    assert outcomes(report) == (1, 0, 0, 0, 1)
    assert labels() == [("Besni", True)]


def test_what_is_wrong_keeps_nothing_from_being_stored(raisin: Endpoint) -> None:
    first, second = logged(raisin, 2)
    sent = [
        Item(0, first, 0, "Sultana"),
        Item(1, uuid.UUID(int=7), 0, "Besni"),
        Item(2, second, 1, "Besni"),
        Item(3, second, -1, "Besni"),
        Item(4, second, 2**70, "Besni"),
        Item(5, second, 0, "Besni"),
    ]
    report = send(sent)
    assert outcomes(report) == (1, 0, 0, 1, 4)
    assert [(fault.number, fault.code) for fault in report.faults] == [
        (0, "invalid_label"), (2, "invalid_row"), (3, "invalid_row"), (4, "invalid_row"),
    ]  # fmt: skip
    assert "use Kecimen or Besni" in report.faults[0].message
    assert "Row 1 is not in the request" in report.faults[1].message


def test_all_faults_are_counted_and_the_first_are_told(raisin: Endpoint) -> None:
    ids = logged(raisin, 150)
    report = send([*reversed(items(ids, "Sultana"))])
    assert report.invalid == 150
    assert [fault.number for fault in report.faults] == list(range(MOST_FAULTS))


def test_where_one_may_not_label_requests_are_unknown(raisin: Endpoint, private: Endpoint) -> None:
    hidden, seen = cast.prediction(private).request_id, cast.prediction(raisin).request_id
    assert outcomes(send(items([hidden, seen], "Besni"), caller=ANYBODY)) == (1, 0, 0, 1, 0)
    assert Feedback.objects.get().request_id == seen


def test_a_key_labels_at_its_own_endpoint_alone(
    raisin: Endpoint, private: Endpoint, dev: User
) -> None:
    key, _ = cast.new_key(dev, endpoint=private, scopes=[Scope.FEEDBACK])
    ids = [cast.prediction(endpoint).request_id for endpoint in (raisin, private)]
    assert outcomes(send(items(ids, "Besni"), caller=Caller(key=key))) == (1, 0, 0, 1, 0)


def test_at_one_endpoint_the_requests_of_others_are_unknown(
    raisin: Endpoint, private: Endpoint
) -> None:
    ids = [cast.prediction(endpoint).request_id for endpoint in (raisin, private)]
    report = bulk_feedback.record_many(
        items=items(ids, "Besni"), faults=[], caller=cast.SYSTEM, now=cast.THEN, endpoint=private
    )
    assert outcomes(report) == (1, 0, 0, 1, 0)


def test_it_refuses_who_may_label_nowhere(private: Endpoint, dev: User, eve: User) -> None:
    key, _ = cast.new_key(dev, scopes=[Scope.PREDICT])
    with pytest.raises(NotAuthenticated):
        bulk_feedback.require_somewhere(ANYBODY)
    for caller in (Caller(user=eve), Caller(key=key)):
        with pytest.raises(NotAllowed):
            bulk_feedback.require_somewhere(caller)
    bulk_feedback.require_somewhere(Caller(user=dev))
    Endpoint.objects.update(public_predictions=True)
    bulk_feedback.require_somewhere(ANYBODY)


def test_the_number_of_queries_grows_by_part_and_not_by_label(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = logged(raisin, 90)
    asked = []
    for part in (100, 30):
        monkeypatch.setattr(label_store, "PART", part)
        send(items(ids, "Besni"))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            send(items(ids, "Kecimen"))
        asked.append(len(queries))
    assert asked[0] <= 14
    assert asked[1] - asked[0] <= 2 * 6


def test_parts_hold_together(raisin: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_store, "PART", 7)
    ids = logged(raisin, 50)
    assert outcomes(send(items(ids, "Besni"))) == (50, 0, 0, 0, 0)
    assert outcomes(send(items(ids, "Besni", "Kecimen"))) == (0, 25, 25, 0, 0)
    assert Feedback.objects.filter(current=True).count() == 50


def test_nothing_is_stored_where_something_breaks(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("the power is gone")

    monkeypatch.setattr(label_store.label_counts, "add", broken)
    with pytest.raises(RuntimeError, match="power"):
        send(items(logged(raisin, 3), "Besni"))
    assert labels() == []

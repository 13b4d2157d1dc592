"""Labels of many endpoints are read once and dealt out, however far each has read before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from endpoints.models import Endpoint, Feedback, Monitor, StreamDetector
from endpoints.services import bulk_feedback
from endpoints.services.bulk_feedback import Item
from endpoints.services.monitoring import label_pages, label_stream, tick
from endpoints.services.monitoring.label_pages import FIRST_LOOK
from endpoints.services.monitoring.label_stream import Fed
from mlcore.errors import DataError
from tests import cast
from tests.endpoints.services.labelled import logged

pytestmark = pytest.mark.django_db
SOON = cast.THEN + timedelta(minutes=1)


@pytest.fixture
def three(raisin: Endpoint) -> list[Endpoint]:
    others = [cast.an_endpoint(slug) for slug in ("grape", "zante")]
    for number, other in enumerate(others, start=1):
        cast.registered_version(other, status="production", lambda_=0.1 * number)
    return [raisin, *others]


def at(moment: datetime = SOON) -> Any:
    return lambda: moment


def label(request_ids: Sequence[UUID], *, now: datetime = cast.THEN) -> None:
    items = [Item(number, found, 0, "Besni") for number, found in enumerate(request_ids)]
    bulk_feedback.record_many(items=items, faults=[], caller=cast.SYSTEM, now=now)


def label_in_turn(endpoints: Sequence[Endpoint], rounds: int) -> None:
    """Give each endpoint this many labels, those of all between one another."""
    ids = [logged(endpoint, rounds) for endpoint in endpoints]
    for turn in zip(*ids, strict=True):
        label(turn)


def fed(endpoint: Endpoint) -> set[int]:
    found = StreamDetector.objects.filter(version__endpoint=endpoint)
    return set(found.values_list("fed", flat=True))


def reads(asked: CaptureQueriesContext, table: str) -> int:
    return sum(f'FROM "{table}"' in query["sql"] for query in asked)


def cursors() -> set[int]:
    return set(Monitor.objects.values_list("label_cursor", flat=True))


def test_it_works(three: list[Endpoint]) -> None:
    label_in_turn(three, 4)
    label(logged(three[1], 3))
    assert label_stream.feed_all(at()) == Fed(15, 0)
    assert [fed(endpoint) for endpoint in three] == [{4}, {7}, {4}]
    assert cursors() == {Feedback.objects.latest("pk").pk}
    assert label_stream.feed_all(at()) == Fed()


def test_the_labels_of_many_are_read_as_often_as_those_of_one(three: list[Endpoint]) -> None:
    """Pages of labels, requests and labels of requests; to read them for each made three times as many."""
    label_in_turn(three, 4)
    with CaptureQueriesContext(connection) as asked:
        label_stream.feed_all(at())
    # The oldest label of the first look, the page, its labels once more, and the empty page after it.
    assert reads(asked, "endpoints_feedback") == 4
    assert reads(asked, "endpoints_predictionrequest") == 1


def test_labels_of_others_are_not_looked_into(three: list[Endpoint]) -> None:
    """The first look and two pages, and nothing else of the labels that are somebody else's."""
    label_in_turn(three[1:], 4)
    with CaptureQueriesContext(connection) as asked:
        assert label_stream.feed(three[0], at()) == Fed()
    assert reads(asked, "endpoints_feedback") == 3


def test_each_reads_on_from_where_it_stands(
    three: list[Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_pages, "PAGE", 5)
    ahead, behind, new = three
    label_in_turn(three, 4)
    label_stream.feed(behind, at())
    label_in_turn(three, 3)
    label_stream.feed(ahead, at())
    label_in_turn(three, 2)
    assert label_stream.feed_all(at()) == Fed(2 + 5 + 9, 0)
    assert [fed(endpoint) for endpoint in three] == [{9}, {9}, {9}]
    assert label_stream.feed(new, at()) == Fed()


def test_in_pages_they_end_where_each_ends_alone(
    three: list[Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    label_in_turn(three, 20)
    for endpoint in three:
        label_stream.feed(endpoint, at())
    alone = list(StreamDetector.objects.order_by("version", "name").values("name", "state", "fed"))
    StreamDetector.objects.all().delete()
    Monitor.objects.all().delete()
    monkeypatch.setattr(label_pages, "PAGE", 7)
    label_stream.feed_all(at())
    together = StreamDetector.objects.order_by("version", "name").values("name", "state", "fed")
    assert list(together) == alone


def test_a_new_endpoint_takes_nothing_from_one_that_is_far_behind(three: list[Endpoint]) -> None:
    """The new one reads back a week, the other from where it stands, which is longer ago."""
    behind, new, _ = three
    old = SOON - FIRST_LOOK - timedelta(days=1)
    label(logged(behind, 1), now=old)
    label_stream.feed(behind, at(old + timedelta(minutes=1)))
    label(logged(behind, 2), now=old)
    label(logged(new, 2), now=old)
    label(logged(new, 1))
    assert label_stream.feed_all(at()) == Fed(2 + 1, 0)
    assert (fed(behind), fed(new)) == ({3}, {1})


def test_who_is_overtaken_keeps_nobody_else_back(
    three: list[Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    label_in_turn(three, 4)
    overtaken, look = three[0], label_stream._look
    by_others: list[Fed] = []

    def late(version: int, *given: Any) -> Any:
        if not by_others and version == overtaken.versions.get(number=1).pk:
            by_others.append(Fed())
            by_others.append(label_stream.feed(overtaken, at()))
        return look(version, *given)

    monkeypatch.setattr(label_stream, "_look", late)
    assert label_stream.feed_all(at()) == Fed(8, 0)
    assert by_others[1:] == [Fed(4, 0)]
    assert [fed(endpoint) for endpoint in three] == [{4}, {4}, {4}]


def test_a_fault_of_one_keeps_no_other_endpoint_back(
    three: list[Endpoint], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    label_in_turn(three, 4)
    odd, look = three[1], label_stream._look

    def faulty(version: int, *given: Any) -> Any:
        if version == odd.versions.get(number=1).pk:
            raise DataError("a grape is no raisin")
        return look(version, *given)

    monkeypatch.setattr(label_stream, "_look", faulty)
    found = tick.tick_all(at())
    assert [type(one).__name__ for one in found] == ["Failed", "Ticked", "Ticked"]
    assert [fed(endpoint) for endpoint in three] == [{4}, set(), {4}]
    assert "labels could not be dealt out" in caplog.text


def test_a_tick_of_all_deals_them_out(
    three: list[Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    label_in_turn(three, 4)
    pages: list[int] = []
    read = label_pages.read

    def counted(since: Any, now: datetime) -> Any:
        page = read(since, now)
        if page is not None:
            pages.append(len(since))
        return page

    monkeypatch.setattr(label_pages, "read", counted)
    tick.tick_all(at())
    assert pages == [3]
    label_in_turn(three, 1)
    job = tick.MinuteJob(lambda: 0.0)
    while job(at()):
        pass
    assert pages == [3, 3]
    assert [fed(endpoint) for endpoint in three] == [{5}, {5}, {5}]

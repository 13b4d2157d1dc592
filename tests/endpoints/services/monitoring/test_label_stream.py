"""Errors reach the detectors once each, in the order in which labels came, whoever looks and how often."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from endpoints.models import (
    Endpoint,
    Feedback,
    Monitor,
    PredictionRequest,
    StreamChange,
    StreamDetector,
)
from endpoints.models.prediction import Source
from endpoints.services import bulk_feedback
from endpoints.services.bulk_feedback import Item
from endpoints.services.monitoring import label_pages, label_stream
from endpoints.services.monitoring.label_pages import FIRST_LOOK, LEFT, LEFT_AFTER_GAP
from endpoints.services.monitoring.label_stream import Fed
from mlcore.streams import Adwin, PageHinkley
from tests import cast
from tests.endpoints.services.labelled import logged

pytestmark = pytest.mark.django_db
SOON = cast.THEN + timedelta(minutes=1)
RIGHT, WRONG = False, True


def label(request_ids: Sequence[UUID], errors: Sequence[bool], *, at: datetime = cast.THEN) -> None:
    """Give requests of one row the label that was predicted, or the other one."""
    request = PredictionRequest.objects.get(pk=request_ids[0])
    other = next(name for name in ("Besni", "Kecimen") if name != request.label)
    items = [
        Item(number, request_id, 0, other if is_wrong else request.label)
        for number, (request_id, is_wrong) in enumerate(zip(request_ids, errors, strict=True))
    ]
    bulk_feedback.record_many(items=items, faults=[], caller=cast.SYSTEM, now=at)


def feed(endpoint: Endpoint, *, at: datetime = SOON) -> Fed:
    return label_stream.feed(endpoint, lambda: at)


def state(name: str = "page_hinkley") -> dict[str, Any]:
    return dict(StreamDetector.objects.get(name=name).state)


def fed() -> set[int]:
    return set(StreamDetector.objects.values_list("fed", flat=True))


def after(errors: Sequence[bool]) -> dict[str, Any]:
    """Return the state of a detector that saw these."""
    detector = PageHinkley()
    detector.update_many([float(error) for error in errors])
    return detector.to_dict()


def test_it_works(raisin: Endpoint) -> None:
    ids = logged(raisin, 1_200)
    errors = [*[RIGHT] * 800, *[RIGHT, WRONG] * 200]
    label(ids, errors)
    found = feed(raisin)
    adwin = Adwin()
    [alarm] = adwin.update_many(list(map(float, errors)))
    change = StreamChange.objects.get(detector="adwin")
    assert (change.labels, change.request_id) == (alarm + 1, ids[alarm])
    assert (change.predicted_at, change.found_at) == (cast.THEN, SOON)
    assert change.version == raisin.versions.get(number=1)
    assert found == Fed(1_200, StreamChange.objects.count())
    assert fed() == {1_200}
    assert state("adwin") == adwin.to_dict()


def test_the_rates_on_both_sides_of_a_change(raisin: Endpoint) -> None:
    """From one in ten to one in two: told as soon as it is found, with few labels after it."""
    errors = [*[RIGHT] * 9, WRONG] * 80 + [RIGHT, WRONG] * 100
    label(logged(raisin, len(errors)), errors)
    feed(raisin)
    change = StreamChange.objects.filter(detector="adwin").earliest("labels")
    assert 800 < change.labels < 900
    assert change.rate_before == pytest.approx(0.1, abs=0.01)
    assert change.rate_after == pytest.approx(0.5, abs=0.05)


def test_a_test_that_knows_no_place_of_the_change_tells_the_rate_until_then(
    raisin: Endpoint,
) -> None:
    errors = [*[RIGHT] * 300, *[WRONG] * 100]
    label(logged(raisin, len(errors)), errors)
    feed(raisin)
    change = StreamChange.objects.get(detector="page_hinkley")
    seen = errors[: change.labels - 1]
    assert change.rate_before == pytest.approx(sum(seen) / len(seen))
    assert change.rate_after is None


def test_in_parts_it_ends_where_it_ends_at_once(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [*[RIGHT, RIGHT, RIGHT, RIGHT, WRONG] * 60, *[WRONG, RIGHT] * 150]
    ids = logged(raisin, len(errors))
    monkeypatch.setattr(label_pages, "PAGE", 70)
    for start in range(0, len(ids), 250):
        label(ids[start : start + 250], errors[start : start + 250])
        feed(raisin)
    adwin = Adwin()
    alarms = adwin.update_many(list(map(float, errors)))
    changes = StreamChange.objects.filter(detector="adwin").order_by("labels")
    assert [change.labels - 1 for change in changes] == alarms != []
    assert (state("adwin"), state()) == (adwin.to_dict(), after(errors))


def test_a_second_look_finds_nothing(raisin: Endpoint) -> None:
    label(logged(raisin, 3), [WRONG] * 3)
    assert feed(raisin) == Fed(3, 0)
    before = list(StreamDetector.objects.values())
    assert feed(raisin) == Fed()
    assert list(StreamDetector.objects.values()) == before


def test_no_labels_are_no_trouble(raisin: Endpoint) -> None:
    logged(raisin, 3)
    assert feed(raisin) == Fed()
    assert not StreamDetector.objects.exists()


def test_a_correction_is_not_fed_again(raisin: Endpoint) -> None:
    ids = logged(raisin, 2)
    label(ids, [RIGHT, RIGHT])
    feed(raisin)
    label(ids[:1], [WRONG])
    assert feed(raisin) == Fed()
    assert state() == after([RIGHT, RIGHT])


def test_a_label_corrected_before_the_look_is_fed_as_corrected(raisin: Endpoint) -> None:
    ids = logged(raisin, 2)
    label(ids, [RIGHT, RIGHT])
    label(ids[:1], [WRONG])
    assert feed(raisin) == Fed(2, 0)
    assert state() == after([WRONG, RIGHT])


def test_a_row_is_not_lost_between_its_label_and_the_correction(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page ends before the correction, so it holds no label that still counts."""
    monkeypatch.setattr(label_pages, "PAGE", 1)
    ids = logged(raisin, 1)
    label(ids, [RIGHT])
    label(ids, [WRONG])
    assert feed(raisin) == Fed(1, 0)
    assert state() == after([WRONG])


def test_labels_of_one_list_are_fed_in_the_order_of_their_requests(raisin: Endpoint) -> None:
    ids = logged(raisin, 40)
    errors = [number % 3 == 0 for number in range(40)]
    label(ids[::-1], errors[::-1])
    feed(raisin)
    assert state() == after(errors)


def test_a_late_label_is_fed_when_it_comes(raisin: Endpoint) -> None:
    early = logged(raisin, 2, now=cast.THEN - timedelta(days=40))
    late = logged(raisin, 2)
    label(late, [RIGHT, RIGHT])
    feed(raisin)
    label(early, [WRONG, RIGHT])
    assert feed(raisin) == Fed(2, 0)
    assert state() == after([RIGHT, RIGHT, WRONG, RIGHT])


def test_rows_of_one_request_are_fed_each(raisin: Endpoint) -> None:
    answered = cast.prediction(raisin, rows=[cast.ROW] * 3)
    items = [Item(row, answered.request_id, row, answered.labels[0]) for row in range(2)]
    bulk_feedback.record_many(items=items, faults=[], caller=cast.SYSTEM, now=cast.THEN)
    assert feed(raisin) == Fed(2, 0)
    more = [Item(0, answered.request_id, 2, answered.labels[0]), *items]
    bulk_feedback.record_many(items=more, faults=[], caller=cast.SYSTEM, now=cast.THEN)
    assert feed(raisin) == Fed(1, 0)


def test_the_newest_labels_are_left_for_the_next_time(raisin: Endpoint) -> None:
    label(logged(raisin, 1), [WRONG])
    instant = timedelta(microseconds=1)
    assert feed(raisin, at=cast.THEN + LEFT - instant) == Fed()
    assert feed(raisin, at=cast.THEN + LEFT) == Fed(1, 0)


def test_nothing_is_read_past_a_label_that_is_too_new(raisin: Endpoint) -> None:
    first, second, third = logged(raisin, 3)
    label([first], [WRONG])
    label([second], [RIGHT], at=SOON)
    label([third], [WRONG])
    assert feed(raisin) == Fed(1, 0)
    assert feed(raisin, at=SOON + LEFT) == Fed(2, 0)


def test_a_label_that_is_committed_after_later_ones_is_not_lost(raisin: Endpoint) -> None:
    ids = logged(raisin, 3)
    label(ids, [RIGHT, WRONG, RIGHT])
    uncommitted = Feedback.objects.get(request=ids[1])
    Feedback.objects.filter(pk=uncommitted.pk).delete()
    assert feed(raisin, at=cast.THEN + LEFT) == Fed(1, 0)
    uncommitted.save(force_insert=True)
    assert feed(raisin, at=cast.THEN + LEFT) == Fed(2, 0)
    assert state() == after([RIGHT, WRONG, RIGHT])


def test_ids_that_were_given_to_nobody_are_waited_for_a_minute(raisin: Endpoint) -> None:
    ids = logged(raisin, 3)
    label(ids, [RIGHT] * 3)
    Feedback.objects.filter(request=ids[1]).delete()
    feed(raisin, at=cast.THEN + LEFT)
    assert feed(raisin, at=cast.THEN + LEFT_AFTER_GAP - timedelta(microseconds=1)) == Fed()
    assert feed(raisin, at=cast.THEN + LEFT_AFTER_GAP) == Fed(1, 0)


def test_the_first_look_goes_back_a_week(raisin: Endpoint) -> None:
    old, new = logged(raisin, 2)
    label([old], [WRONG], at=SOON - FIRST_LOOK - timedelta(seconds=1))
    label([new], [RIGHT], at=SOON - FIRST_LOOK)
    assert feed(raisin) == Fed(1, 0)
    assert state() == after([RIGHT])


def test_what_was_tried_by_hand_is_left_out(raisin: Endpoint) -> None:
    tried = cast.prediction(raisin, source=Source.TRY)
    label([tried.request_id], [WRONG])
    assert feed(raisin) == Fed()


def test_versions_are_fed_apart(raisin: Endpoint) -> None:
    label(logged(raisin, 2), [WRONG, WRONG])
    other = cast.prediction(raisin, version=2)
    label([other.request_id], [RIGHT])
    assert feed(raisin) == Fed(3, 0)
    seen = StreamDetector.objects.values_list("version__number", "name", "fed")
    assert set(seen) == {
        (1, "adwin", 2), (1, "page_hinkley", 2), (2, "adwin", 1), (2, "page_hinkley", 1),
    }  # fmt: skip


def test_each_endpoint_reads_its_own(raisin: Endpoint) -> None:
    other = cast.an_endpoint("other")
    cast.registered_version(other, status="production", lambda_=0.1)
    label(logged(raisin, 2), [WRONG, WRONG])
    label(logged(other, 1), [WRONG])
    assert (feed(other), feed(raisin)) == (Fed(1, 0), Fed(2, 0))


def test_where_two_look_the_first_one_counts(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(logged(raisin, 3), [WRONG, RIGHT, RIGHT])
    by_others: list[Fed] = []

    def overtaken(*given: Any) -> Any:
        monkeypatch.undo()
        by_others.append(feed(raisin))
        return label_stream._look(*given)

    monkeypatch.setattr(label_stream, "_look", overtaken)
    assert (feed(raisin), by_others) == (Fed(), [Fed(3, 0)])
    assert fed() == {3}


def test_the_cursor_is_the_monitors(raisin: Endpoint) -> None:
    Monitor.objects.create(endpoint=raisin, window_rows=77)
    label(logged(raisin, 3), [RIGHT] * 3)
    feed(raisin)
    monitor = Monitor.objects.get()
    assert (monitor.window_rows, monitor.label_cursor) == (77, Feedback.objects.latest("pk").pk)


def test_a_state_that_cannot_be_read_is_begun_anew(
    raisin: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    ids = logged(raisin, 2)
    label(ids[:1], [WRONG])
    feed(raisin)
    StreamDetector.objects.filter(name="page_hinkley").update(state={"of": "another release"})
    label(ids[1:], [RIGHT])
    feed(raisin)
    assert "page_hinkley of v1 starts anew" in caplog.text
    assert state() == after([RIGHT])
    assert state("adwin")["width"] == 2


def test_how_the_detectors_stand(raisin: Endpoint) -> None:
    version = raisin.versions.get(number=1)
    assert label_stream.watched(version) == ()
    label(logged(raisin, 4), [RIGHT, WRONG, RIGHT, RIGHT])
    feed(raisin)
    assert [
        (w.detector, w.labels, w.width, w.error_rate) for w in label_stream.watched(version)
    ] == [
        ("adwin", 4, 4, 0.25),
        ("page_hinkley", 4, 4, 0.25),
    ]

"""What the writer of the log counts: it equals a count of the log itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from endpoints.models.prediction import Source
from endpoints.models.roll_up import Span
from endpoints.services.tallies import REMEMBERED, Answered, Entry, Refused, Tallies, Tally

THEN = datetime(2026, 11, 2, 9, 30, 12, tzinfo=UTC)


def answered(at: datetime = THEN, **facts: Any) -> Answered:
    """One answered request of v1 at endpoint 1. Facts: fields of Entry, `number`, `positives`, `scores`."""
    counted = {"number": 1, "positives": 0, "scores": {"3": 1}}
    counted |= {name: facts.pop(name) for name in list(facts) if name in counted}
    values: dict[str, Any] = {
        "id": "0" * 32,
        "endpoint_id": 1,
        "version_id": 10,
        "created_at": at,
        "source": Source.API,
        "row_count": 1,
        "threshold": 0.5,
        "latency_us": 30,
        "probability": None,
    }
    texts = {name: "" for name in Entry._fields if name not in values}
    return Answered(Entry(**values | texts | facts), **counted)


def test_it_works() -> None:
    tallies = Tallies()
    found = tallies.with_these(
        [answered(row_count=3, positives=2, scores={"3": 1, "9": 2})],
        [Refused(1, 1, "invalid_rows", THEN)],
    )
    expected = Tally(
        requests=1,
        rows=3,
        two_class_rows=3,
        positives=2,
        latencies={"5": 1},
        scores={"3": 1, "9": 2},
        refusals={"invalid_rows": 1},
    )
    assert {key.span for key in found} == set(Span)
    assert list(found.values()) == [expected, expected]
    assert {key.start.second for key in found} == {0}


def test_it_goes_on_from_what_was_stored() -> None:
    tallies = Tallies()
    for stored in (True, False, True):
        found = tallies.with_these([answered()], ())
        if stored:
            tallies.keep(found)
    assert {tally.requests for tally in found.values()} == {2}


def test_what_was_tried_by_hand_counts_as_a_request_alone() -> None:
    found = Tallies().with_these([answered(source=Source.TRY, positives=1)], ())
    assert set(map(repr, found.values())) == {repr(Tally(requests=1))}


def test_three_classes_have_no_positives() -> None:
    found = Tallies().with_these([answered(threshold=None, row_count=4)], ())
    assert {(tally.rows, tally.two_class_rows) for tally in found.values()} == {(4, 0)}


def test_it_forgets_what_is_too_old_to_change() -> None:
    tallies = Tallies()
    for hours in range(10):
        tallies.keep(tallies.with_these([answered(THEN + timedelta(hours=hours))], ()))
    assert len(tallies._kept) <= 6


def test_what_comes_later_than_it_remembers_is_counted_under_a_new_name() -> None:
    """Under the old name it would replace what is stored by a count from nought."""
    tallies = Tallies()
    tallies.keep(tallies.with_these([answered(THEN)], ()))
    first = tallies.writer
    tallies.make_room([THEN + timedelta(seconds=1)])
    assert tallies.writer == first
    tallies.make_room([THEN - REMEMBERED])
    assert tallies.writer != first
    found = tallies.with_these([answered(THEN - REMEMBERED)], ())
    assert {tally.requests for tally in found.values()} == {1}


@given(
    st.lists(
        st.tuples(st.integers(0, 7_200), st.sampled_from([1, 2]), st.integers(1, 5)), max_size=40
    )
)
def test_the_sum_is_that_of_the_requests(drawn: list[tuple[int, int, int]]) -> None:
    """In groups of any size, over minutes and hours, nothing is lost and nothing counted twice."""
    tallies = Tallies()
    stored: dict[Any, Tally] = {}
    entries = [
        answered(THEN + timedelta(seconds=seconds), number=number, row_count=rows)
        for seconds, number, rows in sorted(drawn)
    ]
    for start in range(0, len(entries), 3):
        group = entries[start : start + 3]
        tallies.make_room([item.entry.created_at for item in group])
        changed = tallies.with_these(group, ())
        tallies.keep(changed)
        stored |= {(tallies.writer, *key): tally for key, tally in changed.items()}
    for span in Span:
        kept = [(key, tally) for key, tally in stored.items() if key[3] == span]
        assert sum(tally.requests for _, tally in kept) == len(drawn)
        for number in (1, 2):
            rows = sum(tally.rows for key, tally in kept if key[2] == number)
            assert rows == sum(n for _, of, n in drawn if of == number)

"""Counts of pieces add up to those of the whole."""

from __future__ import annotations

import json

from endpoints.services.tables.tallies import FIRST_ERRORS, Tally


def test_nothing_changes_nothing() -> None:
    one = Tally(rows=3, bad=1, labels={"a": 2}, errors={"wrong_type": 1})
    assert Tally().plus(one).to_dict() == one.to_dict() | {
        "histogram": [0] * 20,
        "first_errors": [],
    }


def test_counts_are_added_by_name() -> None:
    one = Tally(labels={"a": 2}, confusion={"a": {"a": 1, "b": 0}}, formulas=True)
    two = Tally(labels={"a": 1, "b": 5}, confusion={"b": {"b": 3}, "a": {"b": 1}})
    both = one.plus(two)
    assert both.labels == {"a": 3, "b": 5}
    assert both.confusion == {"a": {"a": 1, "b": 1}, "b": {"b": 3}}
    assert both.formulas
    assert both.labelled == 5


def test_the_first_errors_are_kept_and_no_more() -> None:
    errors = [{"row": row} for row in range(40)]
    both = Tally(first_errors=errors).plus(Tally(first_errors=errors))
    assert [error["row"] for error in both.first_errors] == [*range(40), *range(10)]
    assert len(both.first_errors) == FIRST_ERRORS


def test_it_can_be_kept_as_json() -> None:
    one = Tally(rows=3, labels={"a": 2}, confusion={"a": {"a": 1}}, log_loss=0.5)
    kept = Tally.from_dict(json.loads(json.dumps(one.to_dict())))
    assert kept.plus(one).confusion == {"a": {"a": 2}}
    assert kept.log_loss == 0.5


def test_metrics_are_those_of_the_table() -> None:
    confusion = {"no": {"no": 50, "yes": 10}, "yes": {"no": 5, "yes": 35}}
    found = Tally(confusion=confusion, log_loss=40.0, brier=12.0).metrics(("no", "yes"))
    assert found == {
        "rows": 100,
        "accuracy": 0.85,
        "log_loss": 0.4,
        "brier": 0.12,
        "precision": 35 / 45,
        "recall": 35 / 40,
        "f1": 70 / 85,
    }


def test_what_cannot_be_told_is_left_out() -> None:
    assert Tally().metrics(("no", "yes")) is None
    found = Tally(confusion={"no": {"no": 4, "yes": 0}, "yes": {"no": 0, "yes": 0}}).metrics(
        ("no", "yes")
    )
    assert found is not None
    assert "precision" not in found
    assert "recall" not in found

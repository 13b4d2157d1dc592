"""The difference from production: every number with its direction, every feature, the data behind both."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard import metrics
from dashboard.presenters import difference
from dashboard.presenters.comparison import Comparison, Subject
from dashboard.presenters.difference import Difference
from endpoints.models import AlgorithmVersion, Endpoint
from tests import cast
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, text_of
from tests.dashboard.test_review import url


def feature(name: str, kind: str = "number", **facts: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, "levels": [], "fill": None} | facts


def changed(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    sides = [
        Subject(key, key, None, {}, {}, {}, described={"features": features})
        for key, features in (("v1", before), ("v2", after))
    ]
    live, candidate = AlgorithmVersion(), AlgorithmVersion()
    found = Difference(live, candidate, Comparison(tuple(sides), base="v1")).features
    return [(change.name, change.word, change.details) for change in found]


def test_it_works(raisin: Endpoint, alex: User, browse: Browse) -> None:
    fewer = ("Area", "Perimeter", "Extent")
    cast.registered_version(raisin, status="staging", columns=fewer)
    page = browse(alex).get(url(3, "production"))
    said = text_of(page)
    assert "ConvexArea − removed number" in said
    assert "Log loss" in said
    assert "worse" in said
    assert "Classes Kecimen 50.0 %, Besni 50.0 %" in said
    assert_clean(page)


def test_it_shows_the_threshold_once(raisin: Endpoint, alex: User, browse: Browse) -> None:
    cast.registered_version(raisin, status="staging", threshold=0.4)
    page = browse(alex).get(url(3, "production"))
    assert text_of(page).lower().count("threshold ") == 1
    assert "Threshold 0.5 0.4 ≠ differs" in text_of(page)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([feature("a")], [feature("a")], []),
        ([], [feature("a")], [("a", "added", "number")]),
        ([feature("a")], [], [("a", "removed", "number")]),
        (
            [feature("a")],
            [feature("a", "category", levels=["x"])],
            [("a", "changed", "number before, category now")],
        ),
        (
            [feature("a", "category", levels=["x", "y"])],
            [feature("a", "category", levels=["y", "z"])],
            [("a", "changed", "new levels z; levels gone x")],
        ),
        (
            [feature("a", "category", levels=["x", "y"])],
            [feature("a", "category", levels=["y", "x"])],
            [("a", "changed", "its levels are in another order")],
        ),
        (
            [feature("a", fill=1.25)],
            [feature("a")],
            [("a", "changed", "a missing value is 1.25 before, is refused now")],
        ),
        (
            [],
            [feature("a", "category", levels=[str(n) for n in range(11)])],
            [("a", "added", "category: 0, 1, 2, 3, 4, 5, 6, 7 and 3 more")],
        ),
    ],
)
def test_it_tells_features_apart(
    before: list[dict[str, Any]], after: list[dict[str, Any]], expected: list[tuple[str, ...]]
) -> None:
    assert changed(before, after) == expected


def test_the_endpoints_own_metric_comes_first_with_its_own_direction(raisin: Endpoint) -> None:
    raisin.primary_metric, raisin.metric_direction = "recall", "lower"
    live, staged = raisin.versions.select_related("run").order_by("number")
    staged.endpoint = raisin
    found = difference.between(live, staged)
    assert found is not None
    first, *others = found.metrics
    assert (first.numbers.metric, first.way, first.is_primary) == ("validation_recall", -1, True)
    ways = {row.numbers.metric: row.way for row in others}
    assert (ways["validation_log_loss"], ways["validation_roc_auc"]) == (-1, 1)
    assert ways["validation_prevalence"] == 0


@pytest.mark.parametrize(
    ("change", "way", "word"),
    [(0.1, 1, "better"), (0.1, -1, "worse"), (-0.1, -1, "better"), (0.1, 0, ""), (0.0, 1, "")],
)
def test_a_difference_has_its_word_beside_its_colour(change: float, way: int, word: str) -> None:
    shown = metrics.judged("validation_roc_auc", change, way)
    assert (f'<span class="word"> {word}</span>' in shown) == bool(word)
    assert "sr-only" not in shown


def test_class_shares_are_of_all_labelled_rows() -> None:
    two = {"tn": 3, "fp": 1, "fn": 0, "tp": 4}
    described = {"classes": ["a", "b"], "metrics": {"train": {"confusion": two}}}
    assert difference.class_balance(described) == "a 50.0\xa0%, b 50.0\xa0%"
    three = {"train": {"confusion": [[2, 0, 0], [0, 1, 0], [0, 0, 1]]}}
    described = {"classes": ["a", "b", "c"], "metrics": three}
    assert difference.class_balance(described) == "a 50.0\xa0%, b 25.0\xa0%, c 25.0\xa0%"
    assert difference.class_balance({}) == ""


def test_there_is_nothing_to_compare_with_the_same_run(raisin: Endpoint) -> None:
    live = raisin.versions.get(number=1)
    twin = cast.registered_version(raisin, run=live.run)
    assert difference.between(live, twin) is None
    assert difference.between(None, twin) is None


def test_numbers_of_an_uploaded_model_are_called_claims(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    run = raisin.versions.get(number=2).run
    type(run).objects.filter(pk=run.pk).update(uploaded=True)
    said = text_of(browse(alex).get(url(2, "production")))
    assert "v2 was handed over as a file: its numbers here are what its uploader says." in said


def test_a_weight_that_goes_away_counts_with_all_that_it_was() -> None:
    sides = (
        Subject("v1", "v1", None, {}, {}, {"Area": 1.0, "Extent": 0.1, "gone": 2.0}),
        Subject("v2", "v2", None, {}, {}, {"Area": 0.5, "Extent": 0.1}),
    )
    rows = Comparison(sides, base="v1").weights
    assert [row.name for row in rows] == ["gone", "Area", "Extent"]

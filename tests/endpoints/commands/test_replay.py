"""`manage.py replay`: what another version would have said to logged requests, compared row by row."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from pytest_django import DjangoAssertNumQueries

from endpoints.models import Endpoint, Event, Feedback, PredictionRequest
from endpoints.services import feedback, logged_rows, serving, snapshots
from endpoints.services.serving import Question
from mlcore.schema import Schema
from tests import cast
from tests.endpoints import grains
from tests.endpoints.protocols import berries

SINCE = cast.THEN - timedelta(days=1)
TIMES = ("--since", SINCE.isoformat(), "--until", (cast.THEN + timedelta(days=1)).isoformat())


def replayed(endpoint: Endpoint, version: int, *options: str) -> Any:
    return json.loads(told(endpoint, version, "--json", *options))


def told(endpoint: Endpoint, version: int, *options: str) -> str:
    out = StringIO()
    arguments = ("--endpoint", endpoint.slug, "--version", str(version), *TIMES, *options)
    call_command("replay", *arguments, stdout=out)
    return out.getvalue()


def rows(count: int = 40) -> list[dict[str, float]]:
    """Grains around the border between the classes, where versions differ."""
    chance = np.random.default_rng(7)
    return [
        {
            name: value * factor
            for (name, value), factor in zip(cast.ROW.items(), factors, strict=True)
        }
        for factors in chance.uniform(0.8, 1.2, size=(count, len(cast.ROW)))
    ]


@pytest.fixture
def logged(raisin: Endpoint) -> Endpoint:
    """Two requests of one row and one of many, answered by v1."""
    first, second, *others = rows()
    for number, some in enumerate(([first], [second], others)):
        cast.prediction(raisin, rows=some, now=cast.THEN + timedelta(seconds=number))
    return raisin


def probabilities(endpoint: Endpoint, number: int) -> np.ndarray[Any, Any]:
    classifier = serving.load(endpoint.versions.get(number=number))
    return classifier.score(rows()).positive


def test_it_works(logged: Endpoint) -> None:
    facts = replayed(logged, 2)
    assert (facts["requests"], facts["rows"], facts["not_scored"]) == (3, 40, 0)
    [report] = facts["against"]
    before, now = probabilities(logged, 1), probabilities(logged, 2)
    apart = np.abs(before - now)
    assert report["version"] == 1
    assert report["agreement"] == np.mean((before >= 0.5) == (now >= 0.5))
    assert report["agreement_low"] < report["agreement"] < report["agreement_high"]
    assert report["differences"]["mean"] == pytest.approx(apart.mean(), abs=1e-12)
    assert report["differences"]["largest"] == pytest.approx(apart.max(), abs=1e-12)
    assert report["differences"]["quantiles"]["0.5"] == pytest.approx(np.median(apart), rel=0.1)
    expected = [
        [int(np.sum(((before >= 0.5) == was) & ((now >= 0.5) == is_now))) for is_now in (0, 1)]
        for was in (0, 1)
    ]
    assert report["decisions"] == expected
    assert report["labels"] is None


def test_it_names_the_rows_that_differ_most(logged: Endpoint) -> None:
    [report] = replayed(logged, 2)["against"]
    apart = np.abs(probabilities(logged, 1) - probabilities(logged, 2))
    order = list(PredictionRequest.objects.order_by("id").values_list("pk", "row_count"))
    places = [(str(pk), row) for pk, row_count in order for row in range(row_count)]
    found = [(one["request_id"], one["row"]) for one in report["largest"]]
    assert found == [places[row] for row in np.argsort(-apart)[:10]]


def test_it_writes_nothing(
    logged: Endpoint, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    before = Event.objects.count(), PredictionRequest.objects.count()
    with django_assert_max_num_queries(15) as queries:
        replayed(logged, 2)
    writing = ("INSERT", "UPDATE", "DELETE")
    assert not any(query["sql"].startswith(writing) for query in queries.captured_queries)
    assert (Event.objects.count(), PredictionRequest.objects.count()) == before


def test_blocks_add_up(logged: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = replayed(logged, 2)
    monkeypatch.setattr(logged_rows, "ROWS", 1)
    monkeypatch.setattr(logged_rows, "PAGE", 2)
    in_blocks = replayed(logged, 2)
    for facts in (whole, in_blocks):
        del facts["seconds"], facts["against"][0]["differences"]["mean"]  # sums in another order
    assert in_blocks == whole


def test_a_version_agrees_with_itself(logged: Endpoint) -> None:
    [report] = replayed(logged, 1)["against"]
    assert report["agreement"] == 1.0
    assert report["differences"]["largest"] < 1e-12


def test_true_labels_decide_who_is_right(logged: Endpoint) -> None:
    before, now = (probabilities(logged, number) >= 0.5 for number in (1, 2))
    truth = now.copy()
    truth[:3] = ~now[:3]
    names = serving.load(logged.versions.get(number=1)).classes
    places = [
        (request, row)
        for request in PredictionRequest.objects.order_by("id")
        for row in range(request.row_count)
    ]
    for (request, row), label in zip(places, truth, strict=True):
        feedback.record(
            request=request, label=names[int(label)], row=row, actor=cast.SYSTEM, now=cast.THEN
        )
    labels = replayed(logged, 2)["against"][0]["labels"]
    assert labels["n"] == 40
    assert labels["accuracy_replayed"] == np.mean(now == truth)
    assert labels["accuracy_answered"] == np.mean(before == truth)
    assert labels["difference_low"] <= labels["difference"] <= labels["difference_high"]


def test_a_corrected_label_counts_once(logged: Endpoint) -> None:
    request = PredictionRequest.objects.order_by("id")[0]
    for label in ("Besni", "Kecimen"):
        feedback.record(request=request, label=label, row=0, actor=cast.SYSTEM, now=cast.THEN)
    assert Feedback.objects.count() == 2
    assert replayed(logged, 2)["against"][0]["labels"]["n"] == 1


def test_what_people_tried_by_hand_is_left_out(logged: Endpoint) -> None:
    tried = Question(slug=logged.slug, rows=[cast.ROW], caller=cast.SYSTEM, source="try")
    serving.predict(tried, clock=lambda: cast.THEN)
    assert replayed(logged, 2)["rows"] == 40


def test_it_reads_a_part_of_the_log(logged: Endpoint) -> None:
    cast.prediction(logged, now=cast.THEN - timedelta(days=3))
    asked = Question(slug=logged.slug, rows=[cast.ROW], caller=cast.SYSTEM, version=2)
    serving.predict(asked, clock=lambda: cast.THEN)
    assert replayed(logged, 2)["requests"] == 4
    assert [report["version"] for report in replayed(logged, 2)["against"]] == [2, 1]
    assert replayed(logged, 2, "--against", "2")["rows"] == 1
    assert replayed(logged, 2, "--limit", "2")["rows"] == 2
    assert replayed(logged, 2, "--since", "2026-10-01")["requests"] == 5


def test_three_classes(db: None) -> None:
    endpoint = grains.endpoint()
    grains.version(endpoint, status="staging", lambda_=0.1)
    cast.prediction(endpoint, rows=rows())
    [report] = replayed(endpoint, 2)["against"]
    before, now = (serving.load(endpoint.versions.get(number=n)).score(rows()) for n in (1, 2))
    assert report["agreement"] == np.mean(before.predictions == now.predictions)
    assert np.array(report["decisions"]).shape == (3, 3)
    apart = np.abs(before.probabilities - now.probabilities).max(axis=1)
    assert report["differences"]["largest"] == pytest.approx(apart.max(), abs=1e-12)


@pytest.fixture
def mixed(db: None) -> Endpoint:
    """An endpoint whose v1 takes a colour, and two of its requests: dark, and red without an area."""
    endpoint = berries.endpoint()
    rows = [berries.ROW | {"colour": "dark"}, berries.ROW | {"Area": None}]
    cast.prediction(endpoint, rows=rows)
    return endpoint


def with_schema(monkeypatch: pytest.MonkeyPatch, endpoint: Endpoint, **changes: Any) -> None:
    """Register a v2 of the same model whose columns are changed so."""
    run = endpoint.versions.get(number=1).run
    version = cast.registered_version(endpoint, run=run)
    classifier = serving.load(version)
    columns = tuple(replace(c, **changes.get(c.name, {})) for c in classifier.schema.columns)
    other = replace(classifier, schema=Schema(columns))
    monkeypatch.setattr(snapshots, "load", lambda v: other if v.number == 2 else classifier)


def test_categories_are_scored(mixed: Endpoint) -> None:
    cast.registered_version(mixed, run=mixed.versions.get(number=1).run)
    facts = replayed(mixed, 2)
    assert (facts["rows"], facts["not_scored"]) == (2, 0)
    assert facts["against"][0]["differences"]["largest"] < 1e-12


def test_rows_of_an_unknown_level_are_counted(
    mixed: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_schema(monkeypatch, mixed, colour={"levels": ("red",)})
    facts = replayed(mixed, 2)
    assert (facts["rows"], facts["not_scored"]) == (1, 1)
    assert [one["row"] for one in facts["against"][0]["largest"]] == [1]


def test_missing_cells_are_filled_by_the_version_that_is_asked(
    mixed: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_schema(monkeypatch, mixed, Area={"fill": 250_000.0})
    [report] = replayed(mixed, 2)["against"]
    by_row = {one["row"]: one for one in report["largest"]}
    assert by_row[0]["difference"] < 1e-12
    filled = snapshots.load(mixed.versions.get(number=1)).score([berries.ROW | {"Area": 250_000.0}])
    assert by_row[1]["replayed_probability"] in [
        pytest.approx(value, abs=1e-12) for value in filled.probabilities[0]
    ]
    assert by_row[1]["difference"] > 0.01


def test_missing_cells_that_nothing_fills_are_counted(
    mixed: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_schema(monkeypatch, mixed, Area={"fill": None})
    facts = replayed(mixed, 2)
    assert (facts["rows"], facts["not_scored"]) == (1, 1)


def test_columns_of_another_kind_are_refused(
    mixed: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_schema(monkeypatch, mixed, Area={"kind": "category", "levels": ("small",)})
    with pytest.raises(CommandError, match="of another kind for v2 than for v1: Area"):
        replayed(mixed, 2)


def test_columns_that_the_log_lacks_are_named(mixed: Endpoint) -> None:
    cast.registered_version(mixed, run=cast.trained_run())
    with pytest.raises(CommandError, match="v2 needs columns .* v1 do not have: MajorAxisLength"):
        replayed(mixed, 2)


def test_classes_in_another_order_are_the_same(logged: Endpoint) -> None:
    other = cast.registered_version(logged, positive="Kecimen")
    assert serving.load(other).classes[0] == "Besni"
    [report] = replayed(logged, other.number)["against"]
    assert report["agreement"] > 0.8
    assert report["classes"] == ["Besni", "Kecimen"]


def test_other_classes_are_refused(logged: Endpoint) -> None:
    grains.version(logged, status="testing")
    with pytest.raises(CommandError, match="they cannot be compared"):
        replayed(logged, 3)


def test_it_tells_people(logged: Endpoint) -> None:
    text = told(logged, 2)
    assert text.startswith("v2 of “raisin” on 3 logged requests, 40 rows.\n")
    assert "Against v1, which answered: 40 rows compared" in text
    assert "same decision" in text
    assert "true labels          none yet" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--version", "9"), "no version 9"),
        (("--against", "9"), "no version 9"),
        (("--endpoint", "nothing"), "no endpoint “nothing”"),
        (("--since", "2020-01-01", "--until", "2020-01-02"), "nothing logged that fits"),
        (("--since", "yesterday"), "“yesterday” is no time"),
        (("--since", "2026-06-31"), "“2026-06-31” is no time"),
    ],
)
def test_it_refuses_what_is_not_there(
    options: tuple[str, ...], message: str, logged: Endpoint
) -> None:
    with pytest.raises(CommandError, match=message):
        told(logged, 2, *options)

"""The counts of true labels move with the labels, by version, hour and minute of the prediction."""

from __future__ import annotations

from datetime import timedelta

import pytest

from endpoints.models import Endpoint, LabelCount, PredictionRequest
from endpoints.models.prediction import Source
from endpoints.models.roll_up import Span
from endpoints.services import feedback, serving
from endpoints.services.serving import Question
from tests import cast
from tests.endpoints.services.labelled import cells, counted, items, logged, send, stored

pytestmark = pytest.mark.django_db
LATER = cast.THEN + timedelta(days=3)


def label(answered: serving.Answer, name: str) -> str:
    request = feedback.find_request(str(answered.request_id), caller=cast.SYSTEM)
    recorded = feedback.record(request=request, label=name, row=0, actor=cast.SYSTEM, now=LATER)
    return recorded.outcome


def test_it_works(raisin: Endpoint) -> None:
    answered = cast.prediction(raisin, now=cast.THEN + timedelta(minutes=59, seconds=30))
    label(answered, answered.labels[0])
    found = LabelCount.objects.order_by("seconds")
    name = answered.labels[0]
    assert [(row.endpoint_id, row.number, row.predicted, row.label, row.rows) for row in found] == [
        (raisin.pk, 1, name, name, 1)
    ] * 2
    assert [(row.seconds, row.start) for row in found] == [
        (Span.MINUTE, cast.THEN + timedelta(minutes=59)),
        (Span.HOUR, cast.THEN),
    ]


def test_a_correction_moves_a_row_to_another_cell(raisin: Endpoint) -> None:
    answered = cast.prediction(raisin)
    right = answered.labels[0]
    wrong = next(name for name in answered.classifier.classes if name != right)
    seen = []
    for name in (right, wrong, wrong, right):
        outcome = label(answered, name)
        seen.append((outcome, cells()))
    assert seen == [
        ("recorded", {(right, right): 1}),
        ("corrected", {(right, wrong): 1}),
        ("unchanged", {(right, wrong): 1}),
        ("corrected", {(right, right): 1}),
    ]


def test_corrections_of_what_is_counted_no_longer_take_nothing_away(raisin: Endpoint) -> None:
    first, second, third = logged(raisin, 3)
    send(items([first, second], "Besni"))
    LabelCount.objects.filter(seconds=Span.MINUTE).delete()
    for request_id in (first, second):
        send(items([request_id], "Kecimen"))
    send(items([third], "Besni"))
    by_label = {label: rows for (_, label), rows in cells(Span.MINUTE).items()}
    assert by_label == {"Kecimen": 2, "Besni": 1}
    assert counted() == stored()


def test_many_at_once_count_as_one_by_one(raisin: Endpoint) -> None:
    sent = items(logged(raisin, 30), "Besni", "Kecimen", "Besni")
    send(sent)
    assert counted() == counted(Span.MINUTE) == stored()
    assert counted()[0] == 30
    send([item._replace(label="Kecimen") for item in sent])
    assert counted() == counted(Span.MINUTE) == stored()


def test_what_was_tried_by_hand_is_not_counted(raisin: Endpoint) -> None:
    question = Question(slug="raisin", rows=[cast.ROW], caller=cast.SYSTEM, source=Source.TRY)
    answered = serving.predict(question, clock=lambda: cast.THEN)
    for name in ("Besni", "Kecimen"):
        label(answered, name)
    assert not LabelCount.objects.exists()


def test_a_label_that_is_not_stored_is_not_counted(raisin: Endpoint) -> None:
    ids = logged(raisin, 2)
    send(items(ids, "Besni", "Sultana"))
    assert counted() == stored()
    assert counted()[0] == 1
    assert PredictionRequest.objects.labelled().count() == 1

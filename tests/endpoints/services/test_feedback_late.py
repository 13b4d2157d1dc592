"""Labels come late: after their version was archived, and even after its artefact is gone."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings

from endpoints.errors import InvalidRequest, NoModel
from endpoints.models import Endpoint, Status
from endpoints.services import feedback, label_classes, lifecycle, snapshots
from endpoints.services.label_store import Recorded
from endpoints.services.serving import Answer
from endpoints.services.snapshots import LOADED_MODELS, ModelCache
from tests import cast
from tests.endpoints import grains
from tests.endpoints.services.decisions import decision
from tests.endpoints.services.labelled import items, outcomes, send

pytestmark = pytest.mark.django_db
LATER = cast.THEN + timedelta(days=90)
SIZES = (45_000, 290.0, 200.0, 0.8, 46_500, 0.7, 820.0)
SMALL = dict(zip(cast.ROW, SIZES, strict=True))


def label(answered: Answer, name: str | float, row: int = 0) -> Recorded:
    request = feedback.find_request(str(answered.request_id), caller=cast.SYSTEM)
    return feedback.record(request=request, label=name, row=row, actor=cast.SYSTEM, now=LATER)


@pytest.fixture
def answers(raisin: Endpoint) -> list[Answer]:
    """One of each class."""
    found = [cast.prediction(raisin, rows=[row]) for row in (cast.ROW, SMALL)]
    assert {answer.labels[0] for answer in found} == {"Kecimen", "Besni"}
    return found


def lose_artefacts(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if all had happened before this process started."""
    for version in endpoint.versions.all():
        shutil.rmtree(Path(settings.RAISIN_HOME) / version.artifact_path)
    monkeypatch.setattr(snapshots, "models", ModelCache(LOADED_MODELS))


def test_it_works_after_the_version_was_archived(raisin: Endpoint, answers: list[Answer]) -> None:
    lifecycle.promote(version=raisin.versions.get(number=2), decision=decision())
    assert raisin.versions.get(number=1).status == Status.ARCHIVED
    assert label(answers[0], "Besni").outcome == "recorded"


def test_it_works_without_the_artefact(
    raisin: Endpoint, answers: list[Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_artefacts(raisin, monkeypatch)
    for answered in answers:
        recorded = label(answered, "Besni")
        assert recorded.feedback.correct is (answered.labels == ["Besni"])


def test_an_index_means_the_same_class_without_the_artefact(
    raisin: Endpoint, answers: list[Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_artefacts(raisin, monkeypatch)
    assert label(answers[0], 1).feedback.label == "Besni"
    assert label(answers[0], 0).feedback.label == "Kecimen"


def test_rows_of_many_need_no_artefact_either(
    raisin: Endpoint, answers: list[Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = cast.prediction(raisin, rows=[cast.ROW, SMALL])
    lose_artefacts(raisin, monkeypatch)
    assert label(both, both.labels[1], row=1).feedback.correct


def test_three_classes_are_known_by_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = grains.endpoint()
    rows = [cast.ROW, SMALL, cast.ROW | {"Eccentricity": 0.4}]
    answered = [cast.prediction(endpoint, rows=[row]) for row in rows]
    assert {answer.labels[0] for answer in answered} == set(grains.CLASSES)
    lose_artefacts(endpoint, monkeypatch)
    for name in grains.CLASSES:
        assert label(answered[0], name).feedback.correct is (name == answered[0].labels[0])


def test_it_refuses_what_is_no_class_of_the_log(
    raisin: Endpoint, answers: list[Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_artefacts(raisin, monkeypatch)
    with pytest.raises(InvalidRequest, match="use Kecimen or Besni"):
        label(answers[0], "Sultana")


def test_it_refuses_where_the_log_does_not_tell_all_classes(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = cast.prediction(raisin)
    lose_artefacts(raisin, monkeypatch)
    with pytest.raises(NoModel, match="cannot be used"):
        label(answered, answered.labels[0])


def test_only_recent_requests_are_asked(
    raisin: Endpoint, answers: list[Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_artefacts(raisin, monkeypatch)
    monkeypatch.setattr(label_classes, "RECENT", 1)
    with pytest.raises(NoModel):
        label(answers[0], "Besni")


def test_of_many_labels_those_of_a_lost_version_alone_are_refused(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = cast.prediction(raisin).request_id
    lose_artefacts(raisin, monkeypatch)
    other = cast.an_endpoint("other")
    cast.registered_version(other, status=Status.PRODUCTION)
    report = send(items([lost, cast.prediction(other).request_id], "Besni"))
    assert outcomes(report) == (1, 0, 0, 0, 1)
    assert [(fault.number, fault.code) for fault in report.faults] == [(0, "no_model")]

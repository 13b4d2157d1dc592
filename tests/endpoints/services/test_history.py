"""History: what answered at a moment, a version's times in production, and its lineage."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from endpoints.models import AlgorithmVersion, Endpoint
from endpoints.services import history, lifecycle
from endpoints.services.transitions import Decision
from tests import cast

HOUR = timedelta(hours=1)


def then(hours: float) -> Decision:
    return Decision(actor=cast.SYSTEM, now=cast.THEN + hours * HOUR, reason=cast.REASON)


def at(hours: float) -> datetime:
    return cast.THEN + hours * HOUR


@pytest.fixture
def story(raisin: Endpoint) -> Endpoint:
    """v1 answers from 1 h, v2 from 3 h, v1 again from 5 h, nothing from 7 h."""
    first, second = raisin.versions.order_by("number")
    lifecycle.promote(version=second, decision=then(3))
    lifecycle.roll_back(endpoint=raisin, decision=then(5))
    first.refresh_from_db()
    lifecycle.archive(version=first, decision=then(7))
    return raisin


def spans(version: AlgorithmVersion) -> list[tuple[datetime, datetime | None]]:
    return [(span.since, span.until) for span in history.spans_in_production(version)]


def test_it_works(story: Endpoint) -> None:
    labels = []
    for hours in (0.5, 1, 2.9, 3, 4, 5, 6.9, 7, 100):
        change = history.in_production_at(story, at(hours))
        labels.append(change.version.label if change else None)
    assert labels == [None, "v1", "v1", "v2", "v2", "v1", "v1", None, None]


def test_a_version_that_came_back_has_two_spans(story: Endpoint) -> None:
    assert spans(story.versions.get(number=1)) == [(at(1), at(3)), (at(5), at(7))]
    assert spans(story.versions.get(number=2)) == [(at(3), at(5))]


def test_the_version_that_answers_now_has_an_open_span(raisin: Endpoint) -> None:
    assert spans(raisin.versions.get(number=1)) == [(at(1), None)]
    assert spans(raisin.versions.get(number=2)) == []


def test_spans_and_moments_agree(story: Endpoint) -> None:
    for version in story.versions.all():
        for span in history.spans_in_production(version):
            assert history.in_production_at(story, span.since) == span.began
            assert (
                span.ended is None or history.in_production_at(story, span.ended.at) != span.began
            )


def test_another_endpoint_is_another_history(story: Endpoint) -> None:
    other = cast.an_endpoint("other")
    assert history.in_production_at(other, at(4)) is None


def test_the_lineage_leads_from_the_data_to_the_predictions(raisin: Endpoint) -> None:
    cast.prediction(raisin)
    cast.prediction(raisin)
    version = raisin.versions.get(number=1)
    found = history.lineage(version)
    assert found.run == version.run
    assert (found.dataset_name, found.dataset_sha256) == (
        version.run.dataset_name,
        version.run.dataset_sha256,
    )
    assert [span.since for span in found.spans] == [at(1)]
    assert found.predictions == 2
    assert history.lineage(raisin.versions.get(number=2)).predictions == 0

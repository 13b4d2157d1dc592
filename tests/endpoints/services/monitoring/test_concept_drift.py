"""The same real grains come to be called otherwise: the errors tell it, the inputs cannot."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pytest

from endpoints.models import AlgorithmVersion, Endpoint, PredictionRequest, Status, StreamChange
from endpoints.services import bulk_feedback, serving
from endpoints.services.bulk_feedback import Item
from endpoints.services.monitoring import label_stream, performance
from endpoints.services.training import TrainingJob
from mlcore import Table, TrainingSpec, read_csv
from mlcore.arrays import FloatArray
from mlcore.drift import measure
from mlcore.estimate import estimate_performance
from mlcore.window import Window
from tests import cast

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
TUESDAY = MONDAY + timedelta(days=1)
WEDNESDAY = TUESDAY + timedelta(days=1)
ROWS = 30
"""In a request."""
OTHER = {"Besni": "Kecimen", "Kecimen": "Besni"}

Grain = tuple[str, ...]


@cache
def kept(path: Path) -> tuple[Table, cast.Kept]:
    table = read_csv(path, name="raisin")
    spec = TrainingSpec(target="Class", positive="Besni")
    job = TrainingJob(table=table, spec=spec, experiment="raisin", actor=cast.SYSTEM)
    return table, cast.keep(job)


@pytest.fixture
def version(db: None) -> AlgorithmVersion:
    """A model of the real grains: all of them on Monday, all of them again on Tuesday, but then the
    third with the longest axes is of the other class. Every row has its label a minute later."""
    home = Path(os.environ.get("RAISIN_HOME", "var"))
    path = Path(os.environ.get("RAISIN_CSV", home / "datasets" / "raisin.csv"))
    if not path.is_file():
        pytest.skip("needs the real Raisin data: set RAISIN_CSV to its file")
    table, trained = kept(path)
    endpoint = cast.an_endpoint()
    cast.registered_version(endpoint, status=Status.PRODUCTION, run=cast.again(trained))
    axis = table.header.index("MajorAxisLength")
    longest = sorted(table.rows, key=lambda grain: float(grain[axis]))[-len(table.rows) // 3 :]
    send(endpoint, table, MONDAY)
    send(endpoint, table, TUESDAY, renamed=frozenset(longest))
    return endpoint.versions.select_related("endpoint").get()


def send(
    endpoint: Endpoint, table: Table, day: datetime, *, renamed: frozenset[Grain] = frozenset()
) -> None:
    """Ask for all grains in a random order, and send their labels."""
    grains = list(table.rows)
    Random(day.day).shuffle(grains)
    for start in range(0, len(grains), ROWS):
        at, part = day + timedelta(minutes=start), grains[start : start + ROWS]
        rows = [dict(zip(table.header, map(float, grain[:-1]), strict=False)) for grain in part]
        answer = cast.prediction(endpoint, rows=rows, now=at)
        items = [
            Item(row, answer.request_id, row, OTHER[grain[-1]] if grain in renamed else grain[-1])
            for row, grain in enumerate(part)
        ]
        came = at + timedelta(minutes=1)
        bulk_feedback.record_many(items=items, faults=[], caller=cast.SYSTEM, now=came)


def of_tuesday(column: str) -> FloatArray:
    """The inputs or the probabilities of the log."""
    log = PredictionRequest.objects.since(TUESDAY).order_by("id")
    return np.concatenate([np.array(lists) for lists in log.values_list(column, flat=True)])


def feed(version: AlgorithmVersion) -> dict[str, list[StreamChange]]:
    """Look once an hour, as the worker does more often."""
    for hour in range(48):
        label_stream.feed(version.endpoint, lambda at=MONDAY + timedelta(hours=hour): at)
    found: dict[str, list[StreamChange]] = {}
    for change in version.changes.order_by("labels"):
        found.setdefault(change.detector, []).append(change)
    return found


def test_the_errors_tell_it(version: AlgorithmVersion) -> None:
    changes = feed(version)
    assert set(changes) == {"adwin", "page_hinkley"}
    for found in changes.values():
        assert all(change.predicted_at >= TUESDAY for change in found)
        assert 900 < found[0].labels < 1_250
    first = changes["adwin"][0]
    assert first.rate_before == pytest.approx(0.13, abs=0.03)
    assert first.rate_after is not None
    assert first.rate_after > 0.3


def test_the_labels_tell_it_day_by_day(version: AlgorithmVersion) -> None:
    monday, tuesday = performance.series(version, "day", MONDAY, WEDNESDAY)
    assert (monday.labels, tuesday.labels, tuesday.coverage) == (900, 900, 1.0)
    assert monday.realised is not None
    assert tuesday.realised is not None
    before, now = monday.realised["accuracy"], tuesday.realised["accuracy"]
    assert before.value == pytest.approx(0.87, abs=0.02)
    assert now.value == pytest.approx(0.58, abs=0.05)


def test_the_inputs_cannot_tell_it(version: AlgorithmVersion) -> None:
    profile = serving.load(version).profile
    window = Window.empty(profile)
    window.add(of_tuesday("inputs"))
    report = measure(profile, window)
    assert (report.n_cur, report.verdict, report.drifted) == (900, "no_drift", ())


def test_the_estimate_does_not_see_it(version: AlgorithmVersion) -> None:
    reference = serving.load(version).profile.performance
    assert reference is not None
    estimated = estimate_performance(reference, of_tuesday("probabilities"))["accuracy"]
    monday, tuesday = performance.series(version, "day", MONDAY, WEDNESDAY)
    assert monday.realised is not None
    assert tuesday.realised is not None
    assert estimated.low is not None
    assert estimated.high is not None
    assert monday.realised["accuracy"].low < estimated.high
    assert tuesday.realised["accuracy"].high < estimated.low

"""The gates as a list: who is asked, in which order, and what a broken artefact leaves of them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from endpoints.models import AlgorithmVersion, Endpoint, Event, PredictionRequest, StatusChange
from endpoints.services import artifacts, gates
from endpoints.services.gates import reload
from mlcore.bundle import probe_rows
from mlcore.errors import ArtifactError
from tests import cast, pace
from tests.endpoints.services.candidates import forest_run, gate, second, verdicts

pytestmark = pytest.mark.django_db
CODES = [
    "smoke",
    "latency",
    "schema",
    "metric",
    "calibration",
    "drift",
    "convergence",
    "abtest",
    "card",
    "second_person",
]


@contextmanager
def changed(path: Path, old: bytes, new: bytes) -> Iterator[None]:
    good = path.read_bytes()
    path.write_bytes(good.replace(old, new))
    try:
        yield
    finally:
        path.write_bytes(good)


def test_it_works(raisin: Endpoint, alex: User) -> None:
    found = gates.evaluate(second(raisin), actor=cast.Caller(user=alex), now=cast.THEN)
    assert [gate.code for gate in found] == CODES
    assert {gate.verdict for gate in found} <= {"pass", "warn", "not_run"}
    assert all(gate.message.endswith((".", "”")) for gate in found)


def test_they_change_nothing(raisin: Endpoint) -> None:
    def counts() -> list[int]:
        return [model.objects.count() for model in (Event, StatusChange, PredictionRequest)]

    before = counts()
    verdicts(second(raisin))
    assert counts() == before


def test_a_changed_artefact_fails_and_nothing_else_can_be_measured(raisin: Endpoint) -> None:
    version = second(raisin)
    with changed(artifacts.folder(version) / "model.json", b"Class", b"Klass"):
        found = gates.evaluate(version, actor=cast.SYSTEM, now=cast.THEN)
    assert [gate.code for gate in found] == CODES
    assert found[0].verdict == "fail"
    assert "cannot be used" in found[0].message
    assert {gate.message for gate in found[1:6]} == {"The artefact does not load."}


def test_an_artefact_that_is_lost_in_between_is_never_an_error(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(_: object) -> None:
        raise ArtifactError("it is gone")

    cast.prediction(raisin, rows=[cast.ROW] * 200)
    monkeypatch.setattr(artifacts, "load", lose)
    found = verdicts(second(raisin))
    assert {found[code] for code in CODES[1:6]} == {"warn"}


def test_a_changed_production_artefact_is_a_warning(raisin: Endpoint) -> None:
    first = raisin.versions.get(number=1)
    with changed(artifacts.folder(first) / "model.json", b"Class", b"Klass"):
        found = verdicts(second(raisin))
    assert (found["smoke"], found["schema"], found["metric"]) == ("pass", "warn", "warn")


def test_an_unconverged_fit_is_a_warning(raisin: Endpoint) -> None:
    raisin.versions.filter(number=2).update(converged=False)
    assert gate(second(raisin), "convergence").verdict == "warn"


def test_it_tells_how_long_a_row_takes(raisin: Endpoint) -> None:
    found = gate(second(raisin), "latency")
    assert found.verdict == "pass"
    assert re.search("95 of 100 single rows take [0-9.]+ us or less each", found.message)
    assert re.fullmatch("p95 [0-9.]+ us a row", found.value)
    assert found.limit == "50 ms"


def test_a_slow_model_misses_its_budget(raisin: Endpoint) -> None:
    Endpoint.objects.update(latency_budget_ms=0.000001)
    found = gate(second(raisin), "latency")
    assert found.verdict == "fail"
    assert "this endpoint allows 0.001 us" in found.message


def test_a_rollback_is_never_held_up_by_the_clock(raisin: Endpoint) -> None:
    Endpoint.objects.update(latency_budget_ms=0.000001)
    assert gates.smoke_test(second(raisin)).verdict == "pass"


def test_the_slowest_twentieth_is_left_out(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter([tick for row in range(100) for tick in (0, 10_000_000 if row < 6 else 1_000_000)])
    monkeypatch.setattr(reload, "perf_counter_ns", lambda: next(ticks))
    assert gate(second(raisin), "latency").value == "p95 10 ms a row"
    ticks = iter([tick for row in range(100) for tick in (0, 10_000_000 if row < 5 else 1_000_000)])
    monkeypatch.setattr(reload, "perf_counter_ns", lambda: next(ticks))
    assert gate(second(raisin), "latency").value == "p95 1 ms a row"


def test_they_are_quick_enough_for_a_page(raisin: Endpoint) -> None:
    """180 holdout rows and 5,000 logged ones: 85 ms on a quiet machine."""
    version = raisin.versions.get(number=1)
    model = artifacts.load(version)
    rows = [dict(zip(model.schema.names, row, strict=True)) for row in probe_rows(model, 5_000)]
    whole = cast.prediction(raisin, rows=rows)
    log = PredictionRequest.objects.get(pk=whole.request_id)
    one = PredictionRequest.objects.get(pk=cast.prediction(raisin).request_id)
    moments = [cast.THEN + timedelta(seconds=place) for place in range(len(log.inputs))]
    cast.copies(one, moments, rows=log.inputs)
    started = time.process_time()
    found = gates.evaluate(second(raisin), actor=cast.SYSTEM, now=cast.THEN + timedelta(hours=3))
    assert time.process_time() - started < pace.seconds(0.5)
    assert "5,000 logged rows" in next(gate.message for gate in found if gate.code == "drift")


def test_trees_pass_them_too(db: None) -> None:
    endpoint = cast.an_endpoint()
    cast.registered_version(endpoint, status="production", lambda_=0.1)
    version: AlgorithmVersion = cast.registered_version(endpoint, run=forest_run())
    found = verdicts(version)
    assert (found["smoke"], found["schema"]) == ("pass", "pass")
    assert found["metric"] in {"pass", "warn", "fail"}
    assert found["calibration"] in {"pass", "warn"}

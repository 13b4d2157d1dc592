"""The gates of calibration and of live inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from endpoints.models import AlgorithmVersion, Endpoint, PredictionRequest
from endpoints.models.prediction import Source
from endpoints.services import artifacts
from endpoints.services.gates import Case, Gate, live_inputs
from endpoints.services.gates import calibration as calibration_gate
from mlcore.classifier import Classifier
from mlcore.evaluation import table_rows
from mlcore.reliability import CalibrationIntervals
from mlcore.table import Table
from tests import cast
from tests.endpoints import grains
from tests.endpoints.services.candidates import forest_run, gate, second

pytestmark = pytest.mark.django_db
NOW = cast.THEN + timedelta(days=1)
Cells = dict[str, Any]


def some_rows(endpoint: Endpoint, n: int, change: Callable[[Cells], Cells]) -> Sequence[Cells]:
    model = artifacts.load(endpoint.versions.get(number=1))
    rows = table_rows(model, cast.raisin_rows())
    return [change(dict(row)) for row in rows[:: max(1, len(rows) // n)][:n]]


def asked(
    endpoint: Endpoint,
    n: int,
    *,
    change: Callable[[Cells], Cells] = lambda row: row,
    at: datetime = cast.THEN,
) -> None:
    cast.prediction(endpoint, rows=some_rows(endpoint, n, change), now=at)


def drift(endpoint: Endpoint) -> Gate:
    return gate(second(endpoint), "drift", now=NOW)


def bigger(row: Cells) -> Cells:
    return row | {"Area": row["Area"] * 1.5}


def a_little_bigger(row: Cells) -> Cells:
    return row | {"Area": row["Area"] * 1.2}


def test_it_works(raisin: Endpoint) -> None:
    asked(raisin, 450)
    found = drift(raisin)
    assert found.verdict == "pass"
    assert found.message == (
        "The 450 logged rows of the last 7 days look like the training rows of v2."
    )
    assert found.value.startswith("PSI 0.0")
    assert found.limit == "below 0.1; 0.25 fails"


def test_too_few_rows_say_nothing(raisin: Endpoint) -> None:
    asked(raisin, 199, change=bigger)
    found = drift(raisin)
    assert found.verdict == "not_run"
    assert "needs 200 logged rows of the last 7 days; there are 199" in found.message


def test_a_shift_fails_and_names_the_column(raisin: Endpoint) -> None:
    asked(raisin, 450, change=bigger)
    found = drift(raisin)
    assert found.verdict == "fail"
    assert found.message == "In 450 logged rows of the last 7 days, Area differs from the " \
        "training rows of v2."  # fmt: skip
    assert found.value.endswith(" of Area")


def test_a_small_shift_is_a_warning(raisin: Endpoint) -> None:
    asked(raisin, 450, change=a_little_bigger)
    assert drift(raisin).verdict == "warn"


def test_older_rows_and_those_tried_by_hand_do_not_count(raisin: Endpoint) -> None:
    asked(raisin, 450, change=bigger, at=NOW - timedelta(days=7, seconds=1))
    asked(raisin, 450, change=bigger)
    PredictionRequest.objects.filter(created_at=cast.THEN).update(source=Source.TRY)
    assert "there are 0" in drift(raisin).message


def test_only_the_newest_rows_are_read(raisin: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_inputs, "MOST_ROWS", 400)
    asked(raisin, 450, change=bigger, at=cast.THEN)
    for minute in range(4):
        asked(raisin, 100, at=cast.THEN + timedelta(minutes=minute + 1))
    found = drift(raisin)
    assert found.verdict == "pass"
    assert "The 400 logged rows" in found.message


def test_rows_of_other_versions_are_read_by_the_names_of_their_columns(raisin: Endpoint) -> None:
    """v3 asks for fewer columns; what v1 logged has them at other places."""
    third = cast.registered_version(raisin, columns=("Extent", "Area"))
    asked(raisin, 450)
    found = gate(third, "drift", now=NOW)
    assert found.verdict == "pass"


def test_rows_of_a_version_that_cannot_be_loaded_are_left_out(raisin: Endpoint) -> None:
    asked(raisin, 450)
    (artifacts.folder(raisin.versions.get(number=1)) / "model.json").write_text("{}")
    assert "there are 0" in drift(raisin).message


def test_columns_that_nobody_sends_cannot_be_compared(raisin: Endpoint) -> None:
    asked(raisin, 450)
    model = artifacts.load(second(raisin))
    live = live_inputs.live_inputs(Case(second(raisin), cast.SYSTEM, NOW))
    assert set(live.columns) == {(name, "number") for name in model.schema.names}
    other = grains.version(raisin, status="testing", table=coloured(), columns=("Colour",))
    assert gate(other, "drift", now=NOW).message == "The logged rows have none of its columns."


def coloured() -> Table:
    table = grains.three_classes()
    colours = [("dark", "golden", "red")[number % 3] for number in range(len(table.rows))]
    rows = tuple((*row, colour) for row, colour in zip(table.rows, colours, strict=True))
    return replace(table, header=(*table.header, "Colour"), rows=rows, sha256="4" * 64)


def test_missing_cells_and_new_levels_are_told(db: None) -> None:
    """Half of the colours are missing now, and the candidate never saw “red”."""
    endpoint, table = cast.an_endpoint("grains"), with_holes(coloured())
    first = grains.version(endpoint, table=table)
    typical = model_row(artifacts.load(first))
    rows = [typical | {"Colour": None if n % 2 else "red"} for n in range(300)]
    cast.prediction(endpoint, rows=rows)
    no_red = tuple((*row[:-1], row[-1].replace("red", "dark")) for row in table.rows)
    dark = replace(table, rows=no_red, sha256="5" * 64)
    candidate = grains.version(endpoint, status="testing", table=dark)
    found = gate(candidate, "drift", now=NOW)
    assert found.verdict == "fail"
    assert "v2 does not know some levels of Colour (150)." in found.message


def with_holes(table: Table) -> Table:
    rows = tuple(
        (*row[:-1], "" if number % 10 == 0 else row[-1]) for number, row in enumerate(table.rows)
    )
    return replace(table, rows=rows)


def model_row(model: Classifier) -> Cells:
    return {
        column.name: column.mean if column.kind == "number" else column.counts[0][0]
        for column in model.profile.columns
    }


def calibration(version: AlgorithmVersion) -> Gate:
    return gate(version, "calibration")


def test_honest_probabilities_pass(raisin: Endpoint) -> None:
    found = calibration(second(raisin))
    assert found.verdict == "pass"
    assert "180 holdout rows of v2" in found.message
    assert found.value.startswith("slope ")


def test_timid_probabilities_are_a_warning(raisin: Endpoint) -> None:
    """A large penalty draws every probability to the middle."""
    found = calibration(cast.registered_version(raisin, lambda_=3.0))
    assert found.verdict == "warn"
    assert "too timid: too far from 0 and 1" in found.message


def test_other_proportions_are_a_warning(raisin: Endpoint) -> None:
    path = artifacts.holdout_file(second(raisin).run)
    header, *lines = path.read_text().splitlines()
    kept = [line for number, line in enumerate(lines) if "Besni" in line or number % 6 == 0]
    path.write_text("\n".join([header, *kept, ""]))
    assert "too low on average" in calibration(second(raisin)).message


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ((0.5, 0.3, 0.7, 0.0, -1.0, 1.0), "too bold: too near to 0 and 1"),
        ((2.0, 1.3, 2.7, 0.0, -1.0, 1.0), "too timid: too far from 0 and 1"),
        ((1.0, 0.8, 1.2, -0.5, -0.9, -0.1), "too high on average"),
        ((0.5, 0.3, 0.7, 0.5, 0.1, 0.9), "too near to 0 and 1 and too low on average"),
    ],
)
def test_each_fault_has_its_words(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch, found: tuple[float, ...], words: str
) -> None:
    line = CalibrationIntervals(*found)
    monkeypatch.setattr(calibration_gate, "calibration_intervals", lambda *_: line)
    assert words in calibration(second(raisin)).message


def test_calibration_never_fails(raisin: Endpoint) -> None:
    artifacts.holdout_file(second(raisin).run).write_text("Class\nBesni\n")
    assert calibration(second(raisin)).verdict == "warn"


def test_without_rows_calibration_has_not_run(raisin: Endpoint) -> None:
    for version in raisin.versions.all():
        artifacts.holdout_file(version.run).unlink()
    assert calibration(second(raisin)).verdict == "not_run"


def test_a_lone_first_version_without_rows_has_no_calibration(raisin: Endpoint) -> None:
    raisin.versions.filter(number=1).update(status="archived")
    artifacts.holdout_file(second(raisin).run).unlink()
    assert "no holdout rows" in calibration(second(raisin)).message


def test_classes_that_do_not_overlap_have_no_line(raisin: Endpoint) -> None:
    path = artifacts.holdout_file(second(raisin).run)
    header, *lines = path.read_text().splitlines()
    model = artifacts.load(second(raisin))
    scored = sorted(lines, key=lambda line: positive(model, header, line))
    apart = [line for line in scored[:40] if "Kecimen" in line] + [
        line for line in scored[-40:] if "Besni" in line
    ]
    path.write_text("\n".join([header, *apart, ""]))
    assert "no line fits" in calibration(second(raisin)).message


def positive(model: Classifier, header: str, line: str) -> float:
    cells = dict(zip(header.split(","), line.split(","), strict=True))
    row = {name: float(cells[name]) for name in model.schema.names}
    return float(model.score_row(row).probabilities[1])


def test_three_classes_have_no_calibration(db: None) -> None:
    candidate = grains.version(grains.endpoint(), status="staging")
    assert calibration(candidate).verdict == "not_run"


def test_trees_are_measured_like_any_other(raisin: Endpoint) -> None:
    found = calibration(cast.registered_version(raisin, run=forest_run()))
    assert found.verdict in {"pass", "warn"}
    assert "slope" in found.value

"""What the presenters make of a training's report, case by case."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from dashboard import diagrams
from dashboard.presenters import coefficients, curves, evaluation, importance, path
from dashboard.presenters.coefficients import CoefficientRow, CoefficientTable

NUMBERS = {
    "validation_accuracy": 0.9,
    "validation_f1": 0.8,
    "validation_log_loss": 0.3,
    "train_log_loss": 0.2,
    "validation_made_up": 1.0,
}


def interval(name: str, value: float) -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "low": value - 0.1,
        "high": value + 0.1,
        "method": "Wilson",
    }


def effect(name: str, increase: float) -> dict[str, Any]:
    return {
        "name": name,
        "log_loss_increase": increase,
        "log_loss_low": increase - 0.1,
        "log_loss_high": increase + 0.1,
        "roc_auc_drop": None,
    }


def row(slot: str, weight: float, **found: Any) -> CoefficientRow:
    return CoefficientRow(slot, weight, 1.0, 1.0, found)


def path_report(n_slots: int, *, n_classes: int = 0) -> dict[str, Any]:
    slots = [f"slot {place}" for place in range(n_slots)]
    weights: Any = [float(place) for place in range(n_slots)]
    rows = [
        {
            "lambda_": lambda_,
            "log_loss": 0.5 - lambda_ / 10,
            "log_loss_error": 0.1,
            "weights": [weights] * n_classes if n_classes else weights,
        }
        for lambda_ in (1.0, 0.1, 0.01)
    ]
    found = {"rows": rows, "best": 0, "one_se": 0, "edge": "largest"}
    return {"slots": slots, "lambda_": 0.1, "path": found}


def parsed(drawing: str) -> ElementTree.Element:
    root = ElementTree.fromstring(drawing)
    assert root.attrib["role"] == "img"
    assert root[0].text
    assert "style" not in {key for node in root.iter() for key in node.attrib}
    return root


# --- metrics ----------------------------------------------------------------------------------


def test_metrics_stand_in_groups_and_unknown_ones_are_left_out() -> None:
    table = evaluation.metric_table(NUMBERS, {})
    assert table is not None
    assert [group for group, _ in table.groups] == ["Probabilities", "Decisions"]
    assert [r.key for _, rows in table.groups for r in rows] == ["log_loss", "accuracy", "f1"]
    assert not table.has_intervals


def test_no_metrics_give_no_table() -> None:
    assert evaluation.metric_table({}, {}) is None


def test_an_interval_around_another_value_is_not_shown() -> None:
    """The F1 of a bootstrap at one half says nothing about the F1 at a tuned threshold."""
    report = {"intervals": [interval("accuracy", 0.9), interval("f1", 0.85)]}
    table = evaluation.metric_table(NUMBERS, report)
    assert table is not None
    rows = {r.key: r for _, rows in table.groups for r in rows}
    assert (rows["accuracy"].low, rows["accuracy"].high) == (0.8, 1.0)
    assert rows["f1"].low is rows["f1"].high is None
    assert rows["log_loss"].low is None


@pytest.mark.parametrize(("threshold", "shown"), [(0.5, 0.7), (0.2, None)])
def test_accuracies_at_different_thresholds_do_not_stand_side_by_side(
    threshold: float, shown: float | None
) -> None:
    report = {"free_validation": {"accuracy": 0.7, "log_loss": 0.4}}
    table = evaluation.metric_table(NUMBERS | {"validation_threshold": threshold}, report)
    assert table is not None
    rows = {r.key: r for _, rows in table.groups for r in rows}
    assert rows["accuracy"].left_out == shown
    assert rows["log_loss"].left_out == 0.4


def test_two_classes_are_counted_like_many() -> None:
    described = {"metrics": {"validation": {"confusion": {"tn": 5, "fp": 1, "fn": 2, "tp": 6}}}}
    first, second = evaluation.confusion(described, ("no", "yes"))
    assert [cell.count for cell in first.cells] == [5, 1]
    assert [cell.count for cell in second.cells] == [2, 6]
    assert [cell.is_right for cell in second.cells] == [False, True]


@pytest.mark.parametrize(
    ("slope", "shift", "words"),
    [
        ((0.9, 1.8), (-0.2, 0.1), f"The probabilities are {evaluation.WELL_SPREAD}."),
        ((0.3, 0.9), (-0.9, -0.1), "The probabilities are too extreme, and on the whole too high."),
        ((1.1, 2.0), (0.1, 0.9), "The probabilities are too cautious, and on the whole too low."),
    ],
)
def test_calibration_in_words(
    slope: tuple[float, float], shift: tuple[float, float], words: str
) -> None:
    line = {
        "slope_low": slope[0],
        "slope_high": slope[1],
        "in_the_large": sum(shift) / 2,
        "in_the_large_low": shift[0],
        "in_the_large_high": shift[1],
    }
    assert evaluation.calibration_words({"calibration_intervals": line}) == words


def test_calibration_without_a_line_is_not_judged() -> None:
    assert evaluation.calibration_words({"calibration_intervals": None}) == ""


def test_a_threshold_curve_needs_two_points() -> None:
    point = {"threshold": 0.2, "precision": None, "recall": 0.0, "f1": 0.0}
    assert evaluation.threshold_chart({"thresholds": [point]}, 0.5) is None
    chart = evaluation.threshold_chart({"thresholds": [point, point | {"threshold": 0.4}]}, None)
    assert chart is not None
    assert chart.marks == ()


# --- coefficients -----------------------------------------------------------------------------


def test_a_coefficient_that_cannot_be_known_says_why() -> None:
    assert row("a", 1.0, status="estimated").status == ""
    assert "no row informs" in row("a", 0.0, status="fixed").status
    assert "only their sum is known" in row("a", 0.0, status="collinear").status


def test_one_very_long_interval_does_not_press_the_others_flat() -> None:
    assert coefficients.limit_of([1.0, 2.0, 3.0]) == 3.0
    assert coefficients.limit_of([1.0, 1.0, 1000.0]) == coefficients.LONGEST
    assert coefficients.limit_of([0.0]) == 1.0


def test_of_many_coefficients_the_largest_come_first() -> None:
    rows = tuple(row(str(place), 1.0) for place in range(60))
    table = CoefficientTable("", rows, rows[0], 1.0)
    assert len(table.top) == coefficients.TOP_ROWS
    assert table.top + table.rest == rows


def test_an_interval_is_drawn_within_its_axis() -> None:
    inside = parsed(diagrams.interval(row("a", 0.5, low=-0.5, high=1.0), 1.0))
    beyond = parsed(diagrams.interval(row("a", 9.0, low=-20.0, high=30.0), 1.0))
    assert len(inside.findall(".//circle")) == 1
    assert beyond.findall(".//circle") == []
    assert len(beyond.findall(".//g/path")) == 3  # the line and an arrow at either end
    for node in [*inside.iter("path"), *beyond.iter("path")]:
        start = float(node.attrib["d"][1:].split()[0])
        assert 0 <= start <= diagrams.WIDTH


def test_a_coefficient_without_errors_is_a_point() -> None:
    root = parsed(diagrams.interval(row("a", -0.5), 1.0))
    assert root.findall(".//g/path") == []
    assert len(root.findall(".//circle")) == 1


# --- path -------------------------------------------------------------------------------------


def test_a_path_names_six_lines_and_leaves_the_rest_grey() -> None:
    found = path.of(path_report(40), ())
    assert found is not None
    ((_, chart),) = found.weights
    assert [line.name for line in chart.named] == [f"slot {k}" for k in (39, 38, 37, 36, 35, 34)]
    assert chart.quiet == path.MOST_LINES - 6
    assert found.left_out == 10
    assert all(len(r.values) == path.MOST_LINES for r in chart.rows)


def test_a_path_of_three_classes_has_a_panel_each() -> None:
    found = path.of(path_report(4, n_classes=3), ("a", "b", "c"))
    assert found is not None
    assert [label for label, _ in found.weights] == ["a", "b", "c"]


def test_a_best_penalty_at_the_end_of_the_grid_is_told() -> None:
    found = path.of(path_report(2), ())
    assert found is not None
    assert "a wider range might hold a better one" in found.sentence
    assert {mark.text for mark in found.loss.marks} == {"best, one SE", "in use"}


def test_no_path_is_no_path() -> None:
    assert path.of({}, ()) is None


def test_a_penalty_that_is_not_known_is_not_marked() -> None:
    found = path.of(path_report(2) | {"lambda_": None}, ())
    assert found is not None
    assert {mark.text for mark in found.loss.marks} == {"best, one SE"}
    assert "This run used" not in found.sentence


# --- importance -------------------------------------------------------------------------------


def test_groups_of_columns_are_told_from_columns() -> None:
    rows = [effect("a", 0.1), effect("b", 0.3), effect("a + b", 0.9)]
    found = importance.of({"importance": {"rows": rows}}, ("a", "b"))
    assert found is not None
    assert [r.name for r in found.columns] == ["b", "a"]
    assert [r.members for r in found.groups] == [("a", "b")]
    assert (found.low, found.high) == (0.0, 1.0)


def test_collinear_columns_name_their_partners() -> None:
    columns = [
        {"name": "a", "vif": 40.0, "exact": False, "constant": False},
        {"name": "b", "vif": None, "exact": True, "constant": False},
        {"name": "c", "vif": None, "exact": False, "constant": True},
        {"name": "d", "vif": 1.5, "exact": False, "constant": False},
    ]
    report = {"columns": columns, "groups": [[0, 1]], "condition_number": None, "warnings": []}
    found = importance.collinearity({"collinearity": report})
    assert found is not None
    assert [(r.name, r.words) for r in found.rows] == [
        ("b", "follows exactly"),
        ("c", "constant"),
        ("a", "nearly follows"),
        ("d", ""),
    ]
    assert {r.name: r.partners for r in found.rows}["a"] == ("b",)


def test_one_column_is_collinear_with_none() -> None:
    alone = {"name": "a", "vif": 1.0, "exact": False, "constant": False}
    assert importance.collinearity({"collinearity": {"columns": [alone], "groups": []}}) is None
    assert importance.collinearity({}) is None


def test_an_effect_below_zero_is_drawn_to_the_left() -> None:
    root = parsed(diagrams.effect(effect("a", -0.2), -0.3, 0.7))
    bar = next(root.iter("rect"))
    assert bar.attrib["class"] == "c-fill s2"
    assert float(bar.attrib["width"]) == pytest.approx(0.2 * (diagrams.WIDTH - 12), abs=0.1)


@pytest.mark.parametrize(
    "drawing",
    [
        diagrams.interval(row("a", float("nan")), 1.0),
        diagrams.effect(effect("a", float("nan")), 0.0, 1.0),
        diagrams.effect(effect("a", 0.0), 0.0, 0.0),
        diagrams.level(None),
    ],
)
def test_nothing_to_draw_reads_as_no_value(drawing: str) -> None:
    assert "no value" in drawing


def test_a_share_is_a_bar_of_the_whole() -> None:
    track, bar = parsed(diagrams.level(0.25)).iter("rect")
    assert float(bar.attrib["width"]) == pytest.approx(float(track.attrib["width"]) / 4, abs=0.1)


# --- reliability and curves --------------------------------------------------------------------


def test_a_reliability_diagram_has_a_point_a_bin_with_rows() -> None:
    full = {
        "left": 0.0,
        "right": 0.5,
        "n": 10,
        "probability": 0.3,
        "positive": 0.4,
        "low": 0.2,
        "high": 0.6,
    }
    root = parsed(diagrams.reliability({"bins": [full], "n": 10}, "<Besni>"))
    (point,) = root.iter("circle")
    assert float(point.attrib["cx"]) == pytest.approx(diagrams.LEFT + 0.3 * 424)
    assert float(point.attrib["cy"]) == pytest.approx(diagrams.BOTTOM - 0.4 * 256)


def test_seconds_since_the_start_become_milliseconds_an_iteration() -> None:
    found = curves.durations({1: 0.5, 3: 1.5, 4: 1.6})
    assert found == {1: 500.0, 3: 500.0, 4: pytest.approx(100.0)}
    assert curves.durations({}) == {}


def test_a_log_axis_leaves_out_zero() -> None:
    assert curves.above_zero({1: 0.5, 2: 0.0}) == {1: 0.5}

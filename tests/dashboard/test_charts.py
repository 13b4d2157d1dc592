"""Charts: each has a name, a data table with exactly what is drawn, and no style attribute."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from django.template import Context, Template

from dashboard import charts, drawings

NOW = datetime(2026, 11, 20, 14, 2, tzinfo=UTC)
DRAWINGS = {
    "sparkline": drawings.sparkline([0.7, 0.5, None, 0.4]),
    "one point": drawings.sparkline([0.7]),
    "spark_bars": drawings.spark_bars([0, 3, 12, 7]),
    "nothing yet": drawings.spark_bars([0, 0, 0]),
    "histogram": drawings.histogram([3, 8, 0, 5], threshold=0.42),
    "signed_bar": drawings.signed_bar(-0.4, 1.3),
    "share_bar": drawings.share_bar([("v7", 0.9), ("v6", 0.1)]),
}


def render(source: str, **context: object) -> str:
    return Template("{% load raisin %}" + source).render(Context(context))


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_named_and_needs_no_style(name: str) -> None:
    root = ElementTree.fromstring(DRAWINGS[name])
    assert root.attrib["role"] == "img"
    assert root[0].tag == "title"
    assert root[0].text
    assert root[1].tag == "desc"
    assert root[1].text
    assert "style" not in {key for node in root.iter() for key in node.attrib}


def test_a_drawing_escapes_its_title() -> None:
    assert "<b>" not in drawings.sparkline([1, 2], title="<b>")


@pytest.mark.parametrize(
    "drawing", [drawings.sparkline([None]), drawings.histogram([]), drawings.signed_bar(None, 1)]
)
def test_nothing_to_draw_reads_as_no_value(drawing: str) -> None:
    assert "no value" in drawing


def test_a_signed_bar_points_by_its_sign_and_never_leaves_its_cell() -> None:
    right, left = drawings.signed_bar(0.5, 1.0), drawings.signed_bar(-5.0, 1.0)
    assert 's1" x="100.0" y="2" width="49.0"' in right
    assert 's2" x="2.0" y="2" width="98.0"' in left
    assert "to the right" in right
    assert "to the left" in left


def test_the_threshold_is_labelled() -> None:
    drawing = drawings.histogram([1, 2], threshold=0.9)
    assert ">threshold 0.900</text>" in drawing
    assert 'text-anchor="end">threshold' in drawing


def test_a_histogram_comes_with_its_table() -> None:
    page = render("{% histogram counts threshold=0.42 %}", counts=[3, 8, 5])
    assert len(re.findall(r"<tr><th scope=\"row\">", page)) == 3
    assert "0.333333" in page
    assert " style=" not in page


def test_a_line_chart_keeps_its_numbers_in_its_table_alone() -> None:
    chart = charts.line_chart(
        title="Loss",
        x_label="epoch",
        x=[0, 1, 2],
        series={"training": [0.7, 0.5, 0.4], "validation": [0.7, None, float("nan")]},
    )
    page = render("{% line_chart chart %}", chart=chart)
    assert page.count('<th scope="row">') == 3
    assert page.count("no value") == 2
    assert 'stroke-dasharray="6 3"' in page
    assert " style=" not in page
    assert "<script" not in page


def test_points_are_sorted_by_x() -> None:
    chart = charts.line_chart(title="t", x_label="x", x=[2, 0, 1], series={"a": [20, 0, 10]})
    assert [(row.x, row.values) for row in chart.rows] == [(0, (0,)), (1, (10,)), (2, (20,))]


def test_marks_are_listed_below_the_chart() -> None:
    times = [NOW + timedelta(hours=hour) for hour in range(3)]
    chart = charts.line_chart(title="t", x_label="time", x=times, series={"a": [1, 2, 3]})
    page = render("{% line_chart chart %}", chart=chart.marked([(times[1], "v7 promoted")]))
    assert "<span data-mark>v7 promoted</span>" in page
    assert chart.x_kind == "time"


def test_quiet_lines_are_drawn_and_tabled_but_not_told_apart() -> None:
    chart = charts.line_chart(title="t", x_label="x", x=[1, 2], series={"a": [1, 2]})
    page = render(
        "{% line_chart chart %}", chart=chart.with_quiet({"b": {1: 3.0, 2: 4.0}, "c": {1: 5.0}})
    )
    assert "2 smaller ones" in page
    assert page.count(" hidden>") == 2
    assert page.count('<th scope="col"') == 4
    assert page.count("no value") == 1


def test_a_band_lies_between_the_last_two_lines() -> None:
    chart = charts.line_chart(
        title="t", x_label="x", x=[1, 2], series={"a": [1, 2], "low": [0, 1], "high": [2, 3]}
    ).with_band("one standard error")
    assert [line.role for line in chart.lines] == ["line", "edge", "edge"]
    assert [line.name for line in chart.named] == ["a"]
    assert chart.quiet == 0
    page = render("{% line_chart chart %}", chart=chart.on_log_x())
    assert "one standard error" in page
    assert 'data-x-scale="log"' in page


def test_long_series_are_thinned_openly_and_keep_their_peaks() -> None:
    values = [0.0] * 5000
    values[1234], values[4321] = 9.0, -9.0
    chart = charts.line_chart(
        title="t", x_label="x", x=range(5000), series={"a": values, "b": [1.0] * 5000}
    )
    drawn = {row.x: row.values[0] for row in chart.rows}
    assert len(drawn) <= charts.MOST_POINTS
    assert (drawn[1234], drawn[4321]) == (9.0, -9.0)
    assert {0, 4999} <= set(drawn)
    assert chart.thinned == f"{len(drawn)} of 5,000 points"


def test_short_series_are_not_thinned() -> None:
    chart = charts.line_chart(title="t", x_label="x", x=range(300), series={"a": range(300)})
    assert (len(chart.rows), chart.thinned) == (300, "")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"series": {"a": [1.0]}}, "series 'a' has 1 values for 2 points"),
        ({"series": {str(number): [1, 2] for number in range(7)}}, "1 to 6 series, not 7"),
        ({"series": {}}, "1 to 6 series, not 0"),
        ({"scale": "cubic"}, "choose one of linear, zero, log"),
    ],
)
def test_it_refuses_what_cannot_be_drawn(change, says) -> None:
    with pytest.raises(ValueError, match=says):
        charts.line_chart(
            **{"title": "t", "x_label": "x", "x": [0, 1], "series": {"a": [1, 2]}} | change
        )

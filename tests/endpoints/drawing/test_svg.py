"""The drawing of a response curve: well-formed, styled by itself, and told in words."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from endpoints.drawing.axis import Axis, number, share
from endpoints.drawing.svg import CONTENT_SECURITY_POLICY, STYLE, draw
from endpoints.drawing.words import MOST_LEVELS, Chart, crossings, describe
from endpoints.services.response_curve import response_curve
from mlcore.classifier import Classifier
from mlcore.schema import Column
from tests.mlcore.classifiers import MIXED, classifier, logistic, stump

SVG = "{http://www.w3.org/2000/svg}"


def chart(model: Classifier, column: str | None = None) -> Chart:
    curve = response_curve(model, column)
    return Chart(curve=curve, classes=model.classes, threshold=model.threshold, source="raisin v2")


def parsed(drawn: str) -> Any:
    return ElementTree.fromstring(drawn)


def texts(drawn: str) -> list[str]:
    return [str(element.text) for element in parsed(drawn).iter(f"{SVG}text")]


def test_it_works() -> None:
    drawn = draw(chart(classifier(logistic(3)), "Area"))
    root = parsed(drawn)
    assert root.find(f"{SVG}title").text == "Probability of Kecimen by Area"
    assert len(root.findall(f".//{SVG}polyline")) == 1
    assert {"0", "0.25", "0.5", "0.75", "1", "threshold 0.5", "Area"} <= set(texts(drawn))


def test_the_line_goes_where_the_probabilities_go() -> None:
    found = chart(classifier(logistic(3)), "Area")
    points = parsed(draw(found)).find(f".//{SVG}polyline").get("points").split()
    heights = [1 - float(point.split(",")[1]) / 216 for point in points]
    assert heights == pytest.approx(found.curve.probabilities[:, 1].tolist(), abs=3e-4)


def test_three_classes_have_a_line_each_and_a_legend() -> None:
    drawn = draw(chart(classifier(columns=MIXED), "Area"))
    lines = parsed(drawn).findall(f".//{SVG}polyline")
    assert len({(line.get("class"), line.get("stroke-dasharray")) for line in lines}) == 3
    assert {"Besni", "Kecimen", "Rumi"} <= set(texts(drawn))
    assert not any(text.startswith("threshold") for text in texts(drawn))


def test_of_many_classes_the_highest_are_drawn() -> None:
    found = chart(classifier(columns=MIXED), "Area")
    shares = np.linspace(0.01, 0.19, 10)
    curve = replace(found.curve, probabilities=np.tile(shares, (len(found.curve.values), 1)))
    many = replace(found, curve=curve, classes=tuple("abcdefghij"))
    assert many.drawn == [4, 5, 6, 7, 8, 9]
    assert many.title == "Probability of the highest 6 of 10 classes by Area"
    assert len(parsed(draw(many)).findall(f".//{SVG}polyline")) == 6


def test_a_category_has_a_bar_a_level() -> None:
    found = chart(classifier(logistic(5), columns=MIXED), "Colour")
    bars = parsed(draw(found)).findall(f".//{SVG}rect[@class='bar s0']")
    widths = [float(bar.get("width")) / 372 for bar in bars]
    assert widths == pytest.approx(found.curve.probabilities[:, 1].tolist(), abs=3e-4)
    assert {"dark", "gold", "red", "threshold 0.5"} <= set(texts(draw(found)))


def test_of_very_many_levels_the_first_are_drawn_and_the_rest_counted() -> None:
    levels = ("dark", "gold", "red", *(f"colour {number}" for number in range(60)))
    columns = (Column("Colour", "category", levels),)
    drawn = draw(chart(classifier(logistic(63), columns=columns), "Colour"))
    assert len(parsed(drawn).findall(f".//{SVG}rect[@class='bar s0']")) == MOST_LEVELS
    assert "40 of 63 levels" in texts(drawn)


def test_a_single_value_is_a_dot() -> None:
    found = chart(classifier(logistic(3)), "Area")
    first = replace(
        found.curve,
        values=found.curve.values[:1],
        probabilities=found.curve.probabilities[:1],
    )
    root = parsed(draw(replace(found, curve=first)))
    assert root.find(f".//{SVG}polyline") is None
    assert len(root.findall(f".//{SVG}circle")) == 1


def test_trees_are_drawn_too() -> None:
    assert "Extent" in texts(draw(chart(classifier(stump()))))


def test_names_cannot_break_out_of_the_drawing() -> None:
    name = "<script>\x00]]>&\ud800" + "x" * 100
    found = chart(classifier(logistic(3)), "Area")
    curve = replace(found.curve, column=Column(name, "number"))
    text = draw(replace(found, curve=curve, classes=(name, name)))
    assert "<script" not in text
    assert any(shown.startswith("<script>") for shown in texts(text))
    text.encode()


def test_it_says_in_words_what_it_shows() -> None:
    found = chart(classifier(logistic(3)), "Area")
    [place] = crossings(found)
    said = describe(found)
    assert f"threshold 0.500, crossed at {number(place)}" in said
    assert f"from {share(found.curve.probabilities[0, 1])} to" in said
    assert parsed(draw(found)).find(f"{SVG}desc").text == said


def test_a_crossing_is_where_the_model_is_undecided() -> None:
    model = classifier(logistic(3))
    found = chart(model, "Area")
    [place] = crossings(found)
    probability = model.score_row(found.curve.typical | {"Area": place}).probabilities[1]
    assert probability == pytest.approx(0.5, abs=1e-3)


def test_the_policy_names_the_style_and_nothing_else() -> None:
    style = parsed(draw(chart(classifier()))).find(f"{SVG}style").text
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert style == STYLE
    assert f"style-src 'sha256-{digest}'" in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert not re.search(r"url\(|@import|unsafe", STYLE + CONTENT_SECURITY_POLICY)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (748.0, 1870.0, [800, 1000, 1200, 1400, 1600, 1800]),
        (-0.03, 0.02, [-0.03, -0.02, -0.01, 0.0, 0.01, 0.02]),
        (5.0, 5.0, [5.0]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert Axis(low, high, 0, 100).ticks() == pytest.approx(ticks)


@pytest.mark.parametrize("span", [1e-150, 3e-7, 0.7, 42.0, 9e12, 1e150])
def test_ticks_are_neither_many_nor_few(span: float) -> None:
    assert 3 <= len(Axis(0.0, span, 0, 100).ticks()) <= 8


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (87_524.4, "87,524"),
        (0.7587, "0.7587"),
        (-12.5, "\u221212.5"),
        (0.0, "0"),
        (1000.0, "1,000"),
        (1.2e9, "1.2e9"),
        (3e-7, "3e\u22127"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_no_probability_is_rounded_to_certainty() -> None:
    assert [share(p) for p in (0.0, 1e-9, 0.25, 0.9999, 1.0)] == [
        "0.000",
        "<0.001",
        "0.250",
        ">0.999",
        "1.000",
    ]

"""Markdown that people wrote: readable, and harmless whoever wrote it."""

from __future__ import annotations

import re
from time import process_time

import pytest

from dashboard.presenters.markdown import first_words, render
from tests import pace

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<style>body{display:none}</style>",
    "<p style='position:fixed;inset:0'>x</p>",
    "<iframe src=https://example.org></iframe>",
    "<!-- --!><script>alert(1)</script>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](&#x6A;avascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](//example.org/evil)",
    "[x](/account/)",
    "[x](?to=production)",
    "[x]: javascript:alert(1)\n\n[x]",
    "<javascript:alert(1)>",
    "<data:text/html,x>",
    "![x](https://example.org/track.png)",
    '![x](x" onerror="alert(1))',
    '[x](https://a.example "onmouseover=alert(1)")',
    '[x](https://a.example" onmouseover="alert(1))',
    "|a|\n|-|\n|<script>alert(1)</script>|",
    "|a|b|\n|-|:-:|\n|x|</td></table></main>|",
    "```<script>\nalert(1)\n```",
    '```x" onload="alert(1)\n</code></pre><script>\n```',
    "<details open ontoggle=alert(1)>",
    "</div></main><h1>mine</h1>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_it_lets_nothing_harmful_through(text: str) -> None:
    html = render(text)
    tags = re.findall(r"<(/?[a-zA-Z][^\s>]*)([^>]*)>", html)
    allowed = {"p", "a", "code", "pre", "table", "thead", "tbody", "tr", "th", "td"}
    assert {name.strip("/") for name, _ in tags} <= allowed
    for name, attributes in tags:
        assert not re.search(r"(^|\s)(on\w+|style|src|class|id)=", outside_quotes(attributes))
        if name == "a":
            assert re.search(r'href="(https?://|mailto:)', attributes)
            assert 'rel="nofollow noopener noreferrer"' in attributes


def outside_quotes(attributes: str) -> str:
    return re.sub(r'"[^"]*"', '""', attributes)


def test_it_works() -> None:
    html = render(
        "Sorts **grains**.\n\n- one\n- two\n\n[the paper](https://doi.org/10.1/x?a=1&b=2)"
    )
    assert "<strong>grains</strong>" in html
    assert "<li>one</li>" in html
    address = "https://doi.org/10.1/x?a=1&amp;b=2"
    assert f'<a href="{address}" rel="nofollow noopener noreferrer">the paper</a>' in html


def test_html_is_shown_as_it_was_typed() -> None:
    assert render("<b>x</b>") == "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"


def test_a_refused_link_is_shown_as_it_was_typed() -> None:
    assert render("[x](javascript:alert(1))") == "<p>[x](javascript:alert(1))</p>\n"


def test_a_bare_address_is_no_link() -> None:
    assert "<a" not in render("see https://example.org and example.org")


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("# a\n## b\n### c", "345"),
        ("### a\n# b\n###### c", "334"),
        ("a\n=\n\nb\n-", "34"),
        ("# a\n## b\n### c\n#### d\n##### e\n###### f", "345666"),
    ],
)
def test_headings_fit_below_the_second_level(text: str, levels: str) -> None:
    assert "".join(re.findall(r"<h(\d)>", render(text))) == levels


def test_tables_are_tables() -> None:
    html = render("| Answer | Belt |\n|---|:-:|\n| Besni | A |")
    assert "<th>Answer</th>" in html
    assert "<td>A</td>" in html
    assert "style" not in html


def test_characters_that_reorder_a_line_are_left_out() -> None:
    assert render("safe \u202e\u2066not\u2069\u202c") == "<p>safe not</p>\n"
    assert "שלום" in render("שלום")


@pytest.mark.parametrize(
    "piece", ["[", "![[", "[a](", "*a_ ", "> ", "- ", "`", "|a|\n|-|\n", "<", "[^", "**_", "\\"]
)
def test_nothing_takes_long(piece: str) -> None:
    text = (piece * 20_000)[:20_000]
    began = process_time()
    render(text)
    assert process_time() - began < pace.seconds(2.0)  # at most 0.2 s measured


@pytest.mark.parametrize("text", ["", " \n\t "])
def test_nothing_is_nothing(text: str) -> None:
    assert render(text) == ""
    assert first_words(text, 100) == ""


def test_the_first_words_are_plain() -> None:
    text = "# Title\n\nSorts **grains** & <b>figs</b>,\nfast.\n\nMore."
    assert first_words(text, 100) == "Sorts grains & <b>figs</b>, fast."
    assert first_words(text, 12) == "Sorts grain…"

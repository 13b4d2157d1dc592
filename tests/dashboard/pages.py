"""Reads a page as a person does: its text, its forms, its links."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

from django.http import HttpResponse

UNCLEAN = re.compile(
    r"\bNone\b|\bNaN\b|\bnan\b|undefined|\bnull\b|Infinity|\{\{|\{%|Traceback"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d|\d\.\d{7,}"
)


class Reader(HTMLParser):
    """Collects what a page test asks for; code to copy is no prose."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.unlabelled: list[str] = []
        self.labelled: set[str] = set()
        self.headings: list[str] = []
        self.fields: dict[str, str] = {}
        self._code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {key: value or "" for key, value in attrs}
        self._code += tag == "code"
        if "id" in facts:
            self.ids.append(facts["id"])
        if tag == "a" and facts.get("href", "").startswith(("/", "?")):
            self.links.append(facts["href"])
        if tag == "label":
            self.labelled.add(facts.get("for", ""))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)
        if tag in ("input", "select", "textarea"):
            self._field(facts)

    def _field(self, facts: dict[str, str]) -> None:
        if facts.get("type") == "hidden":
            self.fields[facts["name"]] = facts.get("value", "")
        elif "aria-label" not in facts:
            self.unlabelled.append(facts.get("id", facts.get("name", "")))

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag == "code"

    def handle_data(self, data: str) -> None:
        if not self._code:
            self.text.append(data)


def read(response: HttpResponse) -> Reader:
    reader = Reader()
    reader.feed(response.content.decode())
    return reader


def text_of(response: HttpResponse) -> str:
    return " ".join(unescape(" ".join(read(response).text)).replace("\xa0", " ").split())


def assert_clean(response: HttpResponse) -> None:
    """No debris of code in the text, one h1, no repeated id, no skipped heading, every field named."""
    reader = read(response)
    found = UNCLEAN.search(text_of(response))
    assert found is None, found
    assert reader.headings.count("h1") == 1
    levels = [int(tag[1]) for tag in reader.headings]
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))
    assert len(reader.ids) == len(set(reader.ids)), sorted(reader.ids)
    wrapped = {"archived"}
    assert set(reader.unlabelled) - reader.labelled - wrapped == set()

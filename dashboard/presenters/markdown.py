"""Markdown that people wrote, as HTML that cannot do harm; it knows no page.

Two walls: the reader knows no HTML and no images, and of what it makes only a short list of tags
passes. Both libraries are imported at the first use, since most processes never show a text.
"""

from __future__ import annotations

from functools import cache
from html import unescape
from typing import TYPE_CHECKING

from django.utils.html import strip_tags
from django.utils.safestring import SafeString
from django.utils.text import Truncator

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

SCHEMES = ("http", "https", "mailto")
TAGS = {
    *("p", "br", "hr", "em", "strong", "a", "code", "pre", "blockquote", "ul", "ol", "li"),
    *("h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
# Characters that make a line read in another order than it is written (Trojan Source).
REORDERING = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
# The texts stand below a heading of the second level.
PARENT_LEVEL, LOWEST_LEVEL = 2, 6


def render(text: str) -> SafeString:
    """Return the text as HTML, its headings below the second level without a gap."""
    if not text.strip():
        return SafeString("")
    import nh3

    reader = _reader()
    tokens = reader.parse(text.translate(REORDERING))
    _shift_headings(tokens)
    html = reader.renderer.render(tokens, reader.options, {})
    return SafeString(
        nh3.clean(
            html,
            tags=TAGS,
            attributes=ATTRIBUTES,
            link_rel="nofollow noopener noreferrer",
            url_schemes=set(SCHEMES),
            url_relative="deny",
        )
    )


def first_words(text: str, longest: int) -> str:
    """The first paragraph of the text, without its markup, cut after so many characters."""
    paragraph, _, _ = render(text).partition("<p>")[2].partition("</p>")
    words = " ".join(unescape(strip_tags(paragraph)).split())
    return Truncator(words).chars(longest)


@cache
def _reader() -> MarkdownIt:
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False, "linkify": False, "typographer": False})
    reader.enable("table").disable(["image", "html_block", "html_inline"])
    # A link that would be taken away reads better as it was typed.
    reader.validateLink = _is_allowed  # type: ignore[method-assign]
    return reader


def _is_allowed(address: str) -> bool:
    scheme, colon, _ = address.partition(":")
    return bool(colon) and scheme.strip().lower() in SCHEMES


def _shift_headings(tokens: list[Token]) -> None:
    """Move headings down, and close gaps: nobody's text may break the outline of the page."""
    level = PARENT_LEVEL
    # A heading is three tokens: its opening, its text and its closing.
    for token, closing in zip(tokens, tokens[2:], strict=False):
        if token.type == "heading_open":
            level = min(int(token.tag[1]) + PARENT_LEVEL, level + 1, LOWEST_LEVEL)
            token.tag = closing.tag = f"h{level}"

"""A response curve as an SVG file of its own: it brings its style in both themes and knows no model.

Unlike the drawings on pages it must stand alone: in an <img>, as a document, in a report.
"""

from __future__ import annotations

import base64
import hashlib

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from endpoints.drawing.shapes import WIDTH, bars, lines, swatch
from endpoints.drawing.words import Chart, describe, short

TOP, LEGEND_ROW, LEGEND_COLUMNS = 84, 20, 3
STYLE = (
    "svg{color-scheme:light dark}"
    "text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',sans-serif;"
    "fill:#566273;font-variant-numeric:tabular-nums}"
    ".h{font-size:16px;font-weight:600}.h,.t{fill:#16202e}"
    ".v{paint-order:stroke;stroke:#fff;stroke-width:4px;stroke-linejoin:round}"
    ".page{fill:#fff}.grid{stroke:#d5dbe3}.axis{stroke:#7b8798}"
    ".mark{stroke:#16202e;stroke-dasharray:4 3;stroke-width:1.5}"
    ".line{fill:none;stroke:currentColor;stroke-width:2.5;stroke-linejoin:round;stroke-linecap:round}"
    ".dot{fill:currentColor;stroke:#fff;stroke-width:2}.bar{fill:currentColor}"
    ".s0{color:#0072b2}.s1{color:#d55e00}.s2{color:#009e73}"
    ".s3{color:#1d2a6b}.s4{color:#6b4a12}.s5{color:#8c7a8f}"
    "@media(prefers-color-scheme:dark){"
    "text{fill:#a3b0c2}.h,.t{fill:#e7ecf3}.page{fill:#171e28}.grid{stroke:#303b4a}"
    ".axis{stroke:#7c8ba0}.mark{stroke:#e7ecf3}.dot,.v{stroke:#171e28}"
    ".s0{color:#56b4e9}.s1{color:#f08a24}.s2{color:#2a9d7c}"
    ".s3{color:#cbb3c6}.s4{color:#f0e442}.s5{color:#d4502f}}"
)
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'; sandbox"
)


def draw(chart: Chart) -> str:
    """Return the file."""
    shape = lines(chart) if chart.curve.column.kind == "number" else bars(chart)
    rows = _legend_rows(chart)
    top = TOP + LEGEND_ROW * rows
    return format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}"'
        ' role="img" aria-labelledby="t d"><title id="t">{2}</title><desc id="d">{3}</desc>'
        '<style>{4}</style><rect class="page" width="{0}" height="{1}" rx="8"/>'
        '<text class="h" x="24" y="34">{2}</text><text x="24" y="55">{5}</text>{6}'
        '<g transform="translate(0 {7})">{8}</g></svg>\n',
        WIDTH,
        top + shape.height,
        chart.title,
        describe(chart),
        mark_safe(STYLE),  # noqa: S308  a constant, whose hash stands in the policy
        chart.subtitle,
        _legend(chart) if rows else "",
        top,
        shape.body,
    )


def _legend_rows(chart: Chart) -> int:
    return 0 if len(chart.drawn) == 1 else -(-len(chart.drawn) // LEGEND_COLUMNS)


def _legend(chart: Chart) -> SafeString:
    return format_html_join(
        "",
        '<g class="s{}" transform="translate({} {})">{}<text class="t" x="34" y="4">{}</text></g>',
        (
            (
                place,
                24 + 196 * (place % LEGEND_COLUMNS),
                76 + LEGEND_ROW * (place // LEGEND_COLUMNS),
                swatch(chart, place),
                short(chart.classes[k]),
            )
            for place, k in enumerate(chart.drawn)
        ),
    )

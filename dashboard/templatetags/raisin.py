"""The tags and filters of the templates: names for formats, metrics and charts, no rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django import template
from django.utils.html import format_html

from dashboard import charts, comparisons, diagrams, drawings, formats, metrics
from dashboard.presenters import gates
from dashboard.views.shell import caller_of
from endpoints.models import Endpoint
from endpoints.services.access import Need

register = template.Library()

FORMATS: dict[str, Callable[..., Any]] = {
    "percent": formats.percent,
    "score": formats.score,
    "logloss": formats.logloss,
    "p_value": formats.p_value,
    "signed": formats.signed,
    "error": formats.error,
    "odds": formats.odds,
    "brief": formats.brief,
    "statistic": formats.statistic,
    "count": formats.count,
    "ms": formats.ms,
    "duration": formats.duration,
    "filesize": formats.filesize,
    "plain": formats.plain,
    "metric": metrics.metric,
}
for _name, _show in FORMATS.items():
    register.filter(_name, _show)


@register.simple_tag(takes_context=True)
def may(context: dict[str, Any], need: str, endpoint: Endpoint | None = None) -> bool:
    """Say whether the reader may do this at the endpoint: the services' rule, not Django's `perms`."""
    return caller_of(context["request"]).may(Need[need], endpoint)


register.simple_tag(drawings.sparkline, name="sparkline")
register.simple_tag(drawings.spark_bars, name="spark_bars")
register.simple_tag(drawings.signed_bar, name="signed_bar")
register.simple_tag(drawings.share_bar, name="share_bar")
register.simple_tag(metrics.delta, name="delta")
register.simple_tag(metrics.judged, name="judged")
register.simple_tag(gates.evidence, name="evidence")
register.simple_tag(comparisons.shares, name="shares")
register.simple_tag(comparisons.spark_shares, name="spark_shares")
register.simple_tag(diagrams.interval, name="interval")
register.simple_tag(diagrams.interval_axis, name="interval_axis")
register.simple_tag(diagrams.effect, name="effect")
register.simple_tag(diagrams.share_interval, name="share_interval")
register.simple_tag(diagrams.level, name="level")
register.simple_tag(diagrams.reliability, name="reliability")

# What a state is called, its glyph and its tone: the tone is a class of app.css.
STATES: dict[str, tuple[str, str, str]] = {
    "testing": ("○", "Testing", "testing"),
    "staging": ("◐", "Staging", "staging"),
    "ab_testing": ("⇄", "A/B test", "ab_testing"),
    "production": ("●", "Production", "production"),
    "archived": ("▣", "Archived", "archived"),
    "draft": ("○", "Draft", "testing"),
    "running": ("◔", "Running", "info"),
    "stopped": ("▣", "Stopped", "archived"),
    "uploaded": ("◔", "Waiting", "info"),
    "checking": ("◔", "Checking", "info"),
    "needs_attention": ("!", "Needs attention", "watch"),
    "ready": ("○", "Ready", "info"),
    "reading": ("◔", "Being read", "info"),
    "queued": ("◔", "Queued", "info"),
    "cancelled": ("▣", "Cancelled", "archived"),
    "scoring": ("◔", "Scoring", "info"),
    "done": ("✓", "Done", "ok"),
    "done_with_errors": ("!", "Done with errors", "watch"),
    "expired": ("▣", "Expired", "archived"),
    "finished": ("✓", "Finished", "ok"),
    "failed": ("✕", "Failed", "alert"),
    "no_drift": ("✓", "No drift", "ok"),
    "possible": ("!", "Possible", "watch"),
    "drift": ("✕", "Drift", "alert"),
    "insufficient_data": ("–", "Too few rows", "archived"),
    "pass": ("✓", "Pass", "ok"),
    "warn": ("!", "Warning", "watch"),
    "fail": ("✕", "Fail", "alert"),
    "not_run": ("–", "Not run", "archived"),
    "firing": ("✕", "Firing", "alert"),
    "pending": ("!", "Pending", "watch"),
    "resolved": ("✓", "Resolved", "ok"),
    "ok": ("✓", "OK", "ok"),
    "no_data": ("–", "No data", "archived"),
    "disabled": ("▣", "Disabled", "archived"),
    "waiting": ("◔", "Waiting", "info"),
    "delivered": ("✓", "Delivered", "ok"),
}
NOTICE_ICONS = {"success": "ok", "ok": "ok", "warning": "warn", "watch": "warn", "error": "fail"}


@register.simple_tag
def status_badge(status: str, word: str = "") -> str:
    key = str(status).strip().lower().replace(" ", "_").replace("-", "_")
    unknown = ("○", key.replace("_", " ").capitalize(), "testing")
    glyph, name, tone = STATES.get(key, unknown)
    return format_html(
        '<span class="badge badge-{}">'
        '<span class="badge-glyph" aria-hidden="true">{}</span>{}</span>',
        tone,
        glyph,
        word or name,
    )


@register.inclusion_tag("_partials/notice.html")
def notice(text: Any, tone: str = "info") -> dict[str, Any]:
    return {"text": text, "tone": tone, "icon": NOTICE_ICONS.get(tone, "info")}


@register.simple_tag(takes_context=True)
def when(context: template.Context, moment: datetime | None) -> str:
    return formats.when(moment, context.get("now"))


@register.filter
def dash(value: Any) -> Any:
    """The value, or the sign for none; zero is a value."""
    return formats.MISSING if value is None or value == "" else value


@register.inclusion_tag("_partials/line_chart.html")
def line_chart(chart: charts.LineChart) -> dict[str, Any]:
    return {"chart": chart}


@register.inclusion_tag("_partials/histogram.html")
def histogram(
    counts: Sequence[int],
    threshold: float | None = None,
    low: float = 0.0,
    high: float = 1.0,
    title: str = "Predicted probabilities",
) -> dict[str, Any]:
    drawing = drawings.histogram(counts, threshold, low=low, high=high, title=title)
    return {"title": title, "svg": drawing, "bins": drawings.bins(counts, low, high)}

"""How numbers and moments read on pages, one rule a kind; it knows no model and no request."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

MINUS = "\u2212"
NBSP = "\u00a0"
MISSING = SafeString(
    '<span class="missing" aria-hidden="true">—</span><span class="sr-only">no value</span>'
)
WEEK = timedelta(days=7)


def with_words(show: Callable[..., str]) -> Callable[..., str]:
    """Give the values that are no numbers a word, so that no page prints None, nan or inf."""

    @wraps(show)
    def shown(value: Any, *args: Any) -> str:
        if value is None or value == "":
            return MISSING
        number = float(value)
        if math.isnan(number):
            return "not a number"
        if math.isinf(number):
            return "infinite" if number > 0 else f"{MINUS}infinite"
        return show(number, *args)

    return shown


def fixed(number: float, decimals: int) -> str:
    """A number with this many decimals, grouped thousands, a true minus and no negative zero."""
    text = f"{number:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


@with_words
def percent(share: float) -> str:
    if 0 < share < 0.001:
        return f"<0.1{NBSP}%"
    if 0.999 < share < 1:
        return f">99.9{NBSP}%"
    return f"{fixed(share * 100, 1)}{NBSP}%"


@with_words
def score(value: float) -> str:
    return fixed(value, 3)


@with_words
def logloss(value: float) -> str:
    return fixed(value, 4)


@with_words
def p_value(value: float) -> str:
    return "<0.001" if value < 0.001 else fixed(value, 3)


@with_words
def error(value: float) -> str:
    """A standard error or the end of an interval: three decimals unless it is far too large."""
    return fixed(value, 3) if abs(value) < 1000 else statistic(value)


@with_words
def odds(value: float) -> str:
    """A factor of the odds, which may be far from 1 on either side: about three digits."""
    if value >= 100_000 or 0 < value < 0.001:
        return power(value)
    return fixed(value, 3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0)


@with_words
def brief(value: float) -> str:
    """Three significant digits, for a setting in a sentence."""
    return plain(float(f"{value:.3g}"))


@with_words
def statistic(value: float) -> str:
    """A number of no fixed size: about four significant digits."""
    size = abs(value)
    if size >= 1e7:
        return power(value)
    return fixed(value, 0 if size >= 10_000 else 1 if size >= 100 else 2)


def power(value: float) -> str:
    """A number far from 1, such as 1.06e12."""
    digits, _, exponent = f"{value:.2e}".partition("e")
    return f"{digits}e{int(exponent)}".replace("-", MINUS)


@with_words
def signed(value: float, unit: str | int = 3) -> str:
    """A difference: `unit` is a number of decimals, or "pp" for a difference of two shares."""
    points = unit == "pp"
    text = fixed(value * 100, 1) if points else fixed(value, int(unit))
    changed = any(digit in "123456789" for digit in text)
    sign = "+" if value > 0 and changed else ""
    return f"{sign}{text}{NBSP}pp" if points else f"{sign}{text}"


@with_words
def count(value: float) -> str:
    exact = fixed(value, 0)
    if abs(value) < 1_000_000:
        return exact
    return format_html('<abbr title="{}">{}{}M</abbr>', exact, fixed(value / 1e6, 2), NBSP)


@with_words
def ms(value: float) -> str:
    if 0 < value < 0.5:
        return f"<1{NBSP}ms"
    if value < 10_000:
        return f"{fixed(value, 0)}{NBSP}ms"
    return long_duration(value / 1000)


def duration(value: timedelta | float | None) -> str:
    """A length of time, given as a timedelta or in seconds."""
    return seconds(value.total_seconds() if isinstance(value, timedelta) else value)


@with_words
def seconds(value: float) -> str:
    if value < 1:
        return ms(value * 1000)
    return f"{fixed(value, 1)}{NBSP}s" if value < 10 else long_duration(value)


def long_duration(length: float) -> str:
    whole = round(length)
    minutes, rest = divmod(whole, 60)
    hours, rest_minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,}{NBSP}h{NBSP}{rest_minutes}{NBSP}min"
    if minutes:
        return f"{minutes}{NBSP}min{NBSP}{rest}{NBSP}s"
    return f"{whole}{NBSP}s"


@with_words
def filesize(value: float) -> str:
    for limit, unit in ((1e3, "B"), (1e6, "kB"), (1e9, "MB")):
        if abs(value) < limit:
            size = value / (limit / 1e3)
            return f"{fixed(size, 0 if unit == 'B' else 1)}{NBSP}{unit}"
    return f"{fixed(value / 1e9, 1)}{NBSP}GB"


@with_words
def plain(value: float) -> str:
    """Six significant digits and at most six decimals: what a chart's data table shows.

    A number whose six decimals would tell less than three digits of it is written as a power of ten.
    """
    text = f"{value:.6g}"
    if "e" not in text and len(text.partition(".")[2]) > 6:
        text = f"{round(value, 6):g}" if abs(value) >= 0.001 else f"{value:.3e}"
    return text.replace("-", MINUS)


def when(moment: datetime | None, now: datetime | None = None) -> str:
    """Relative for a week, then the date; the `now` that it is relative to is an argument."""
    if moment is None:
        return MISSING
    local = timezone.localtime(moment)
    date = f"{local.day} {local:%b %Y, %H:%M}"
    age = now - moment if now else None
    text = relative(age) if age is not None and timedelta(0) <= age <= WEEK else date
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        local.isoformat(timespec="seconds"),
        f"{date}:{local:%S}",
        text,
    )


def relative(age: timedelta) -> str:
    whole = int(age.total_seconds())
    if whole < 60:
        return "just now"
    if whole < 3_600:
        return f"{whole // 60}{NBSP}min ago"
    if whole < 86_400:
        return f"{whole // 3_600}{NBSP}h ago"
    return f"{whole // 86_400}{NBSP}d ago"

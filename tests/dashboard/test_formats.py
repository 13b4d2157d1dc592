"""How numbers, moments and states read on pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.template import Context, Template

from dashboard import formats, metrics
from dashboard.templatetags import raisin

NOW = datetime(2026, 11, 20, 14, 2, 11, tzinfo=UTC)


def plain_spaces(text: str) -> str:
    return text.replace(formats.NBSP, " ")


@pytest.mark.parametrize(
    ("show", "value", "text"),
    [
        (formats.percent, 0.8421, "84.2 %"),
        (formats.percent, 0, "0.0 %"),
        (formats.percent, 0.0004, "<0.1 %"),
        (formats.percent, 0.9996, ">99.9 %"),
        (formats.percent, 1, "100.0 %"),
        (formats.score, 0.87449, "0.874"),
        (formats.score, -0.0001, "0.000"),
        (formats.logloss, 0.32125, "0.3212"),
        (formats.p_value, 0.0004, "<0.001"),
        (formats.p_value, 0.0421, "0.042"),
        (formats.signed, 0.0121, "+0.012"),
        (formats.signed, -0.0121, "−0.012"),
        (formats.signed, 0.0001, "0.000"),
        (formats.count, 12480, "12,480"),
        (formats.ms, 12.4, "12 ms"),
        (formats.ms, 0.2, "<1 ms"),
        (formats.ms, 9_999, "9,999 ms"),
        (formats.ms, 80_000, "1 min 20 s"),
        (formats.duration, 0.25, "250 ms"),
        (formats.duration, 1.24, "1.2 s"),
        (formats.duration, timedelta(hours=2, minutes=5), "2 h 5 min"),
        (formats.filesize, 512, "512 B"),
        (formats.filesize, 12_400, "12.4 kB"),
        (formats.filesize, 3_200_000, "3.2 MB"),
        (formats.filesize, 5e9, "5.0 GB"),
        (formats.plain, 0.693147181, "0.693147"),
        (formats.plain, -0.00001234, "−1.234e−05"),
        (formats.plain, 0.01087183, "0.010872"),
        (formats.plain, -0.0002345678, "−2.346e−04"),
        (formats.plain, 3, "3"),
        (formats.error, 0.32125, "0.321"),
        (formats.error, -12345.6, "−12,346"),
        (formats.odds, 0.0571, "0.057"),
        (formats.odds, 2.345, "2.35"),
        (formats.odds, 85.29, "85.3"),
        (formats.odds, 664.5, "664"),
        (formats.odds, 2.5e-7, "2.50e−7"),
        (formats.odds, 1.06e175, "1.06e175"),
        (formats.brief, 0.000358346, "0.000358"),
        (formats.brief, 0.1, "0.1"),
        (formats.statistic, 5.857, "5.86"),
        (formats.statistic, -248.05, "−248.1"),
        (formats.statistic, 12_345.6, "12,346"),
        (formats.statistic, 33_691_877.6, "3.37e7"),
        (formats.score, float("nan"), "not a number"),
        (formats.score, float("-inf"), "−infinite"),
    ],
)
def test_a_number_reads_in_its_format(show, value, text) -> None:
    assert plain_spaces(show(value)) == text


def test_a_difference_of_shares_is_in_percentage_points() -> None:
    assert plain_spaces(formats.signed(0.013, "pp")) == "+1.3 pp"
    assert plain_spaces(formats.signed(-0.013, "pp")) == "−1.3 pp"
    assert plain_spaces(formats.signed(0.00001, "pp")) == "0.0 pp"


def test_a_large_count_keeps_the_exact_number_in_its_title() -> None:
    assert plain_spaces(formats.count(1_240_000)) == '<abbr title="1,240,000">1.24 M</abbr>'


@pytest.mark.parametrize("show", [formats.percent, formats.ms, formats.duration, formats.plain])
def test_a_missing_value_has_a_word_for_screen_readers(show) -> None:
    assert '<span class="sr-only">no value</span>' in show(None)
    assert raisin.dash(None) == raisin.dash("") == formats.MISSING
    assert raisin.dash(0) == 0


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(minutes=59), "59 min ago"),
        (timedelta(hours=3), "3 h ago"),
        (timedelta(days=7), "7 d ago"),
        (timedelta(days=8), "12 Nov 2026, 14:02"),
        (timedelta(days=-1), "21 Nov 2026, 14:02"),
    ],
)
def test_a_moment_is_relative_for_a_week(age, text) -> None:
    shown = plain_spaces(formats.when(NOW - age, NOW))
    assert shown.startswith(f'<time datetime="{(NOW - age).isoformat()}"')
    assert shown.endswith(f">{text}</time>")


def test_the_when_tag_takes_the_clock_from_the_context() -> None:
    page = Template("{% load raisin %}{% when moment %}")
    moment = NOW - timedelta(hours=3)
    assert "3\u00a0h ago" in page.render(Context({"moment": moment, "now": NOW}))
    assert "20 Nov 2026, 11:02" in page.render(Context({"moment": moment}))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("accuracy", 0.8712, "87.1 %"),
        ("test/roc_auc", 0.93121, "0.931"),
        ("validation_log_loss", 0.32125, "0.3212"),
        ("ROC AUC", 0.93121, "0.931"),
        ("latency_ms", 12.4, "12 ms"),
        ("rows", 12480, "12,480"),
        ("train.gradient_norm", 1.5e-9, "1.5e−09"),
        ("something_else", 0.12345, "0.123"),
    ],
)
def test_a_metric_reads_by_its_name(name, value, text) -> None:
    assert plain_spaces(metrics.metric(value, name)) == text


@pytest.mark.parametrize(
    ("name", "change", "tone"),
    [
        ("log_loss", -0.02, "better"),
        ("log_loss", 0.02, "worse"),
        ("roc_auc", 0.02, "better"),
        ("accuracy", -0.02, "worse"),
        ("rows", 3, "neutral"),
    ],
)
def test_a_difference_is_judged_by_the_direction_of_its_metric(name, change, tone) -> None:
    assert f"delta-{tone}" in metrics.delta(name, change)


def test_no_difference_is_neither_better_nor_worse() -> None:
    assert "better" not in metrics.delta("accuracy", 0.0) + metrics.delta("accuracy", None)


@pytest.mark.parametrize(
    ("status", "glyph", "word"),
    [
        ("testing", "○", "Testing"),
        ("staging", "◐", "Staging"),
        ("ab_testing", "⇄", "A/B test"),
        ("production", "●", "Production"),
        ("archived", "▣", "Archived"),
        ("FINISHED", "✓", "Finished"),
        ("Not run", "–", "Not run"),
    ],
)
def test_a_state_is_a_glyph_and_a_word(status, glyph, word) -> None:
    badge = raisin.status_badge(status)
    assert f'aria-hidden="true">{glyph}</span>{word}</span>' in badge


def test_an_unknown_state_is_still_readable_and_escaped() -> None:
    assert raisin.status_badge("half_done").endswith("Half done</span>")
    assert "<script>" not in raisin.status_badge("<script>")

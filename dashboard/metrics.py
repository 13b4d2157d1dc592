"""Which way a metric gets better, and how its values and differences read; it computes none."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.utils.html import format_html

from dashboard import formats
from mlcore.metrics import METRIC_DIRECTION

# What pages call a metric, in the order and the groups in which they show it.
GROUPS: dict[str, dict[str, str]] = {
    "Probabilities": {
        "log_loss": "log loss",
        "brier": "Brier score",
        "ece": "calibration error (ECE)",
        "calibration_slope": "calibration slope",
        "calibration_intercept": "calibration intercept",
    },
    "Ranking": {
        "roc_auc": "ROC AUC",
        "average_precision": "average precision",
    },
    "Decisions": {
        "accuracy": "accuracy",
        "balanced_accuracy": "balanced accuracy",
        "f1": "F1",
        "precision": "precision",
        "recall": "recall",
        "specificity": "specificity",
        "mcc": "Matthews correlation",
    },
    "Rows": {"prevalence": "share of positives"},
}
TITLES: dict[str, str] = {key: title for group in GROUPS.values() for key, title in group.items()}
SHARES = frozenset(
    {
        "accuracy",
        "balanced_accuracy",
        "precision",
        "recall",
        "sensitivity",
        "specificity",
        "prevalence",
        "error_rate",
        "positive_rate",
        "negative_predictive_value",
        "false_positive_rate",
        "false_negative_rate",
    }
)
LOSSES = frozenset(
    {
        "log_loss",
        "logloss",
        "loss",
        "deviance",
        "objective",
        "nll",
    }
)
# Our own metrics know their direction; these are the names that other trackers use.
HIGHER_IS_BETTER = frozenset(
    {
        "balanced_accuracy",
        "sensitivity",
        "specificity",
        "auc",
        "average_precision",
        "pr_auc",
        "mcc",
        "kappa",
        "youden",
        "negative_predictive_value",
    }
)
LOWER_IS_BETTER = LOSSES | frozenset(
    {
        "ece",
        "calibration_error",
        "error_rate",
        "false_positive_rate",
        "false_negative_rate",
        "psi",
        "ks",
        "gradient_norm",
        "latency_ms",
        "seconds",
        "cost",
    }
)
SPLIT = re.compile(r"^(train|training|test|valid|validation|val|holdout|live)[_ ]")
SUFFIXES: tuple[tuple[str, Callable[..., str]], ...] = (
    ("_ms", formats.ms),
    ("seconds", formats.duration),
    ("_bytes", formats.filesize),
    ("p_value", formats.p_value),
    ("norm", formats.plain),
    ("rows", formats.count),
    ("iterations", formats.count),
    ("count", formats.count),
)


def base_name(name: str) -> str:
    """`test/roc_auc`, `test.roc_auc`, `test_roc_auc` and `ROC AUC` name one metric."""
    last = re.split(r"[/.]", name.strip().lower().replace(" ", "_").replace("-", "_"))[-1]
    return SPLIT.sub("", last)


def metric(value: Any, name: str) -> str:
    base = base_name(name)
    if base in SHARES:
        return formats.percent(value)
    if base in LOSSES:
        return formats.logloss(value)
    for suffix, show in SUFFIXES:
        if base.endswith(suffix):
            return show(value)
    return formats.score(value)


def direction(name: str) -> int:
    """+1 where higher is better, -1 where lower is, 0 where neither is."""
    base = base_name(name)
    known = METRIC_DIRECTION.get(base, 0)
    return known or (base in HIGHER_IS_BETTER) - (base in LOWER_IS_BETTER)


def delta(name: str, change: float | None) -> str:
    """A difference: its colour and word follow the metric's direction, its arrow the sign."""
    return _difference(name, change, direction(name), "sr-only")


def judged(name: str, change: float | None, way: int) -> str:
    """A difference with its word to be read by all; `way` is +1 where higher is better, -1 lower."""
    return _difference(name, change, way, "word")


def _difference(name: str, change: float | None, way: int, word_class: str) -> str:
    if change is None:
        return formats.MISSING
    base = base_name(name)
    unit: str | int = "pp" if base in SHARES else 4 if base in LOSSES else 3
    text = formats.signed(change, unit)
    if text[0] not in f"+{formats.MINUS}":
        return format_html('<span class="delta">{}</span>', text)
    tone = {1: "better", -1: "worse", 0: "neutral"}[way * (1 if change > 0 else -1)]
    word = "" if tone == "neutral" else f" {tone}"
    return format_html(
        '<span class="delta delta-{}"><span aria-hidden="true">{}</span> {}'
        '<span class="{}">{}</span></span>',
        tone,
        "▲" if change > 0 else "▼",
        text,
        word_class,
        word,
    )

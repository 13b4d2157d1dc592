"""The sentences of a decision summary: numbers in words that need no statistics; it knows no page.

Sentences are plain text, so that the page and the Markdown file say the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dashboard.presenters.evaluation import WELL_SPREAD
from endpoints.models import AlgorithmVersion
from endpoints.services.card_evidence import RivalReport
from mlcore.classifier import Classifier
from mlcore.errors import listed

Report = Mapping[str, Any]
# Below this many rows the intervals are wide enough to say so.
FEW_HOLDOUT_ROWS = 1000


def of_100(share: float) -> str:
    """How many of a hundred, without a false all or none."""
    rounded = round(100 * share)
    if rounded == 0 and share > 0:
        return "fewer than 1"
    if rounded == 100 and share < 1:
        return "more than 99"
    return str(rounded)


def between(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return ""
    return f"{of_100(low)} to {of_100(high)}"


def confusion(classes: Sequence[str], counts: Sequence[Sequence[float]]) -> tuple[str, ...]:
    """What happens to a hundred rows of two classes, or which class of many fares worst."""
    if len(classes) == 2:
        (tn, fp), (fn, tp) = counts
        n = tn + fp + fn + tp
        negative, positive = classes
        return (
            f"Of 100 rows, about {of_100(tp / n)} are rightly called {positive} and "
            f"{of_100(tn / n)} rightly {negative}; {of_100(fp / n)} are called {positive} "
            f"although they are {negative}, {of_100(fn / n)} the other way round.",
        )
    recalls = [(row[place] / sum(row), place) for place, row in enumerate(counts) if sum(row)]
    share, place = min(recalls)
    return (
        f"It does worst on {classes[place]}: of 100 such rows about {of_100(share)} are "
        "named rightly.",
    )


def metric(key: str, value: float, classes: Sequence[str], base: float | None) -> str:
    """What a metric means; `base` is what always saying the shares of the classes would cost."""
    positive = classes[-1]
    negative = classes[0]
    instead = f" Always saying the shares of the classes has {base:.3f}." if base else ""
    if key == "roc_auc" and len(classes) == 2:
        return (
            f"Of one {positive} and one {negative}, the {positive} gets the higher "
            f"probability about {of_100(value)} times in 100."
        )
    return {
        "log_loss": f"Cost of the probabilities; 0 is perfect.{instead}",
        "brier": f"Mean squared error of the probabilities; 0 is perfect.{instead}",
        "precision": f"Of 100 rows called {positive}, about {of_100(value)} are.",
        "recall": f"Of 100 rows that are {positive}, about {of_100(value)} are found.",
        "specificity": f"Of 100 rows that are {negative}, about {of_100(value)} are called so.",
        "balanced_accuracy": "The share found of each class, on average.",
        "f1": "Balances how many are found with how many of the calls are right; 1 is perfect.",
        "mcc": "Agreement of answers and truth: 1 is perfect, 0 is chance.",
        "roc_auc": "How well each class is ranked before the others: 1 is perfect, 0.5 is chance.",
    }.get(key, "")


def assumptions(
    version: AlgorithmVersion, classifier: Classifier | None, positives: float | None
) -> Iterator[str]:
    run = version.run
    yield (
        f"The rows to come are like the {run.dataset_rows:,} rows of {run.dataset_name}: the "
        "same columns, units and ways of measuring."
    )
    yield "The labels that it learned from and was judged by are right."
    if classifier is None or not classifier.is_binary:
        return
    positive = classifier.classes[1]
    if positives is not None:
        yield (
            f"About {of_100(positives)} of 100 rows are {positive}, as among the test rows. With "
            "another share the figures change."
        )
    yield from _costs(classifier)


def _costs(classifier: Classifier) -> Iterator[str]:
    """What a threshold takes the two errors to cost (Elkan 2001)."""
    at, (negative, positive) = classifier.threshold or 0.0, classifier.classes
    if not 0 < at < 1:
        return
    ratio, worse, other = at / (1 - at), f"a {negative} {positive}", f"a {positive} {negative}"
    if ratio < 1:
        ratio, worse, other = 1 / ratio, other, worse
    relation = "as bad as" if ratio < 1.05 else f"about {ratio:.1f} times as bad as"
    yield (
        f"The threshold of {at:.3g} takes calling {worse} to be {relation} calling {other}, if the "
        "probabilities are true."
    )


def risks_of_data(version: AlgorithmVersion, n: int) -> Iterator[str]:
    run = version.run
    if run.synthetic:
        yield "It was trained on synthetic rows: nothing here may be quoted for real ones."
    if run.uploaded:
        yield (
            "It was trained elsewhere: how and on which rows is its uploader's word. It may have "
            "learned from the rows that judge it."
        )
    if not version.converged:
        why = "" if run.uploaded else run.message.rstrip(".")
        why = why or "the solver did not converge"
        yield f"Weights and explanations are provisional: {why}."
    if 0 < n < FEW_HOLDOUT_ROWS:
        yield f"It was judged on {n:,} rows: differences of a few in 100 may be chance."


def risks_of_fit(report: Report, calibration_words: str) -> Iterator[str]:
    """Calibration, separation and columns that stand for each other, as the analysis has them."""
    ece = (report.get("reliability") or {}).get("ece")
    if calibration_words and WELL_SPREAD not in calibration_words:
        words = calibration_words.rstrip(".")
        by = f" (on average off by {of_100(ece)} in 100)" if ece is not None else ""
        yield f"{words}{by}."
    if any("separate" in text for text in (report.get("inference") or {}).get("warnings", ())):
        yield "The columns separate the classes completely: the weights have no natural limit."
    columns = (report.get("collinearity") or {}).get("columns") or ()
    close = [row["name"] for row in columns if row.get("exact") or (row.get("vif") or 0) > 10]
    if close:
        yield (
            f"{len(close)} of {len(columns)} columns nearly follow from others "
            f"({listed(close, limit=3)}): how an explanation is shared out among them is arbitrary."
        )


def borrowed(version: AlgorithmVersion, owner: AlgorithmVersion) -> str:
    """Say what rows of another version are worth as a judge."""
    rows = f"These are the holdout rows of {owner.label}"
    if version.run.dataset_sha256 == owner.run.dataset_sha256:
        return (
            f"{rows}: {version.label} names the same data, so it may have learned from them, "
            "which favours it."
        )
    return f"{rows}; whether {version.label} has learned from them is not known."


def comparison(label: str, rival: RivalReport) -> Iterator[str]:
    yield (
        f"On the same {rival.n:,} rows {label} gets {rival.ours:,} right and {rival.label} "
        f"{rival.theirs:,}."
    )
    if not rival.changed:
        yield "They decide every row alike."
        return
    yield (
        f"They differ on {rival.changed:,}: {label} alone is right on {rival.only_ours:,}, "
        f"{rival.label} alone on {rival.only_theirs:,}."
    )
    apart, doubtful = rival.only_ours - rival.only_theirs, rival.only_ours + rival.only_theirs
    if abs(apart) <= 1.96 * math.sqrt(doubtful):
        yield "A difference of this size may be chance."

"""What decisions on two classes were worth, from counts alone, with intervals; knows no rows.

Counts of decisions and labels are what a log can keep for ever; every metric here follows from
them.
"""

from __future__ import annotations

from mlcore.intervals import IntervalReport, wilson
from mlcore.metrics import Confusion


def ratios(counts: Confusion) -> dict[str, tuple[float, float]]:
    """Each metric as (numerator, denominator) of the counts, which may be fractions.

    >>> ratios(Confusion(tn=5, fp=1, fn=2, tp=4))["f1"]
    (8, 11)
    """
    tn, fp, fn, tp = counts.tn, counts.fp, counts.fn, counts.tp
    return {
        "accuracy": (tp + tn, tp + tn + fp + fn),
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "f1": (2 * tp, 2 * tp + fp + fn),
    }


def realised_metrics(counts: Confusion, level: float = 0.95) -> dict[str, IntervalReport]:
    """Accuracy, precision, recall, specificity and F1 with intervals; None where nothing was counted.

    The first four are shares, with Wilson intervals. Of the K = tp + fp + fn rows that F1 looks at,
    tp is binomial, and F1 = 2 J / (1 + J) grows with the share J = tp / K: the ends are those of
    J's Wilson interval, transformed (the indirect Wilson interval of Lam et al. 2023). Raises
    DataError for a negative count and for a level outside (0, 1).

    >>> found = realised_metrics(Confusion(tn=80, fp=10, fn=13, tp=77))
    >>> [round(end, 6) for end in (found["accuracy"].low, found["accuracy"].high)]
    [0.815564, 0.913325]
    >>> [round(end, 4) for end in (found["f1"].low, found["f1"].value, found["f1"].high)]
    [0.8084, 0.8701, 0.914]
    """
    shares = ratios(counts)
    del shares["f1"]
    found = {name: realised_share(name, *share, level) for name, share in shares.items()}
    return found | {"f1": _f1(counts, level)}


def realised_share(name: str, k: float, n: float, level: float = 0.95) -> IntervalReport:
    """k of n with its Wilson interval, as the accuracy of any number of classes; None for n = 0.

    >>> realised_share("accuracy", 0, 0)
    IntervalReport(name='accuracy', value=None, low=None, high=None, method='wilson')
    """
    low, high = wilson(k, n, level)
    if n == 0:
        return IntervalReport(name, None, None, None, "wilson")
    return IntervalReport(name, k / n, low, high, "wilson")


def _f1(counts: Confusion, level: float) -> IntervalReport:
    n = counts.tp + counts.fp + counts.fn
    share = realised_share("f1", counts.tp, n, level)
    ends = (share.value, share.low, share.high)
    value, low, high = (None if end is None else 2 * end / (1 + end) for end in ends)
    return IntervalReport("f1", value, low, high, "wilson_indirect")

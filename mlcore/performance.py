"""What a classifier was worth on labelled rows it had not learnt from, as its profile keeps it.

It holds numbers only; ``estimate`` fits them and reads from them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from mlcore.calibration import Calibration, calibration_from_dict

ESTIMATED = ("accuracy", "precision", "recall", "specificity", "f1", "roc_auc")
"""The metrics that can be estimated without labels; of three or more classes only the first."""

MEASURED = (*ESTIMATED, "log_loss", "brier", "ece")


@dataclass(frozen=True)
class SamplingError:
    """How a metric scatters: ``sd`` of one row's part in it, and the share of rows that have one."""

    sd: float
    fraction: float

    def standard_error(self, n: float) -> float:
        """sd / sqrt(n fraction): of the metric on n rows.

        >>> SamplingError(sd=0.4, fraction=0.25).standard_error(400)
        0.04
        """
        return self.sd / math.sqrt(n * self.fraction)


@dataclass(frozen=True)
class ReferencePerformance:
    """The metrics of n reference rows, their sampling errors, and what corrects the probabilities.

    ``prevalence`` is the share of positive labels and ``positive_rate`` that of rows predicted
    positive at ``threshold``; three or more classes have none of them and accuracy alone, and their
    calibration maps the probability of the predicted class to the chance that it is right.
    ``metrics`` are None where undefined, and then have no error. ``calibration`` is None where the
    probabilities are better left as they are; see ``calibration_choice``. ``expected`` is what an
    estimate says of the reference rows themselves: on few rows that is not quite their metric, so
    that a later estimate tells of a change where it differs from this one.
    """

    n: int
    threshold: float | None
    prevalence: float | None
    positive_rate: float | None
    metrics: Mapping[str, float | None]
    errors: Mapping[str, SamplingError]
    calibration: Calibration | None
    expected: Mapping[str, float | None]

    def to_dict(self) -> dict[str, Any]:
        calibration = None if self.calibration is None else self.calibration.to_dict()
        return {**asdict(self), "calibration": calibration}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> ReferencePerformance:
        """What to_dict wrote; ValueError for anything else."""
        names = {field.name for field in fields(cls)}
        _require(isinstance(document, dict) and set(document) == names, "keys")
        _require(type(document["n"]) is int and document["n"] > 0, "n")
        shares = [document[name] for name in ("threshold", "prevalence", "positive_rate")]
        _require(all(share is None for share in shares) or all(map(_is_share, shares)), "shares")
        two = document["threshold"] is not None
        metrics = _metrics(document["metrics"], MEASURED if two else ESTIMATED[:1])
        expected = _metrics(document["expected"], ESTIMATED if two else ESTIMATED[:1])
        errors, found = document["errors"], document["calibration"]
        _require(isinstance(errors, dict) and set(errors) <= set(expected), "errors")
        return cls(
            **{name: document[name] for name in ("n", "threshold", "prevalence", "positive_rate")},
            metrics=metrics,
            errors={name: _error(errors[name]) for name in expected if name in errors},
            calibration=None if found is None else calibration_from_dict(found),
            expected=expected,
        )


def _metrics(document: object, names: Collection[str]) -> dict[str, float | None]:
    if not isinstance(document, dict) or set(document) != set(names):
        raise _malformed("metrics")
    _require(all(value is None or _is_number(value) for value in document.values()), "metrics")
    return {name: document[name] for name in names}


def _error(document: object) -> SamplingError:
    if not isinstance(document, dict) or set(document) != {"sd", "fraction"}:
        raise _malformed("errors")
    sd, fraction = document["sd"], document["fraction"]
    _require(_is_number(sd) and sd >= 0 and _is_share(fraction) and fraction > 0, "errors")
    return SamplingError(sd, fraction)


def _is_share(value: object) -> bool:
    return _is_number(value) and 0 <= value <= 1  # type: ignore[operator]  # it is a number


def _is_number(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise _malformed(what)


def _malformed(what: str) -> ValueError:
    return ValueError(f"the {what} of a reference performance are not well formed")

"""What a check of live rows says, in one form for all checks; knows no statistics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["no_drift", "possible", "drift", "insufficient_data"]
Direction = Literal["above", "below"]


@dataclass(frozen=True)
class Result:
    """One check of one feature: ``value`` is held against ``threshold`` in the given direction.

    ``statistic`` is the number in its own unit. A value is infinite where the training had no
    spread to divide by; None where there is nothing to measure.
    """

    name: str
    feature: str
    statistic: float | None
    value: float | None
    threshold: float
    direction: Direction
    p_value: float | None
    p_adjusted: float | None
    n_ref: int
    n_cur: int
    verdict: Verdict

    @property
    def drifted(self) -> bool:
        return self.verdict == "drift"

    def to_dict(self) -> dict[str, Any]:
        """Numbers that JSON can hold: None for what is not finite."""
        return {
            **{key: finite(value) for key, value in vars(self).items()},
            "drifted": self.drifted,
        }


def finite(value: Any) -> Any:
    """The value, None for a float that is not finite.

    >>> finite(0.5), finite(float("inf")), finite("a")
    (0.5, None, 'a')
    """
    return None if isinstance(value, float) and not math.isfinite(value) else value


def worst(verdicts: list[Verdict]) -> Verdict:
    """The gravest of several verdicts; of none, and where nobody could say, insufficient_data.

    >>> worst(["no_drift", "insufficient_data", "possible"])
    'possible'
    """
    order: tuple[Verdict, ...] = ("drift", "possible", "no_drift")
    return next((verdict for verdict in order if verdict in verdicts), "insufficient_data")

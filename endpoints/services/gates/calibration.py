"""Whether the candidate's probabilities mean what they say on rows kept from a training."""

from __future__ import annotations

from endpoints.services.gates.case import Case
from endpoints.services.gates.gate import Check, Gate
from mlcore.errors import MlcoreError
from mlcore.reliability import CalibrationIntervals, calibration_intervals

CALIBRATION = Check("calibration", "Calibration")


def calibrated(case: Case) -> Gate:
    """Warn where the line through the rows is not that of honest probabilities; never fail."""
    try:
        if not case.model.is_binary:
            return CALIBRATION.not_run("It is measured for two classes only.")
        holdout = case.holdout
        if holdout is None:
            return CALIBRATION.not_run("There are no holdout rows to measure it on.")
        found = calibration_intervals(holdout.truth, holdout.answers.probabilities[:, 1])
    except MlcoreError as error:
        return CALIBRATION.gate("warn", f"It cannot be measured: {error}")
    if found is None:
        return CALIBRATION.not_run("The classes do not overlap in the holdout rows: no line fits.")
    problems = _problems(found)
    said = " and ".join(problems) or "neither too bold nor too timid, neither too high nor too low"
    return CALIBRATION.gate(
        "warn" if problems else "pass",
        f"On the {holdout.rows} the probabilities are {said}.",
        f"slope {found.slope:.2f} ({found.slope_low:.2f} to {found.slope_high:.2f}), "
        f"shift {_signed(found.in_the_large)} "
        f"({_signed(found.in_the_large_low)} to {_signed(found.in_the_large_high)})",
        "1 and 0 inside their 95 % intervals",
    )


def _problems(found: CalibrationIntervals) -> list[str]:
    problems = []
    if found.slope_high < 1:
        problems.append("too bold: too near to 0 and 1")
    if found.slope_low > 1:
        problems.append("too timid: too far from 0 and 1")
    if found.in_the_large_high < 0:
        problems.append("too high on average")
    if found.in_the_large_low > 0:
        problems.append("too low on average")
    return problems


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")

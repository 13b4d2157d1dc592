"""What a report of a test says, in one sentence and one conclusion for the record; pages have words of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from endpoints.models.abtest import Conclusion, Looks
from endpoints.services.abtests.analysis import ABReport
from mlcore.abtest import ABTestReport
from mlcore.proportions import Ends

DOUBTS = MappingProxyType(
    {
        "sample_ratio": "the versions did not get the planned shares of the units",
        "coverage": "one version has labels for more of its predictions than the other",
        "drifted": "the difference has changed so much meanwhile that the looks contradict one another",
    }
)
RAILS = MappingProxyType(
    {"latency": "latency", "errors": "failed requests", "brier": "Brier score"}
)


def in_words(report: ABReport) -> str:
    """Say the verdict with its numbers, which are left out until there are labels enough."""
    return f"{_VERDICTS[report.banner](report)}{_numbers(report)}."


def conclusion_of(report: ABReport) -> Conclusion:
    """Return what a report says, as the conclusion of whoever ends the test by it."""
    return _CONCLUSIONS.get(report.banner, Conclusion.DID_NOT_FINISH)


def _versions(report: ABReport) -> tuple[str, str]:
    return f"v{report.challenger.version}", f"v{report.control.version}"


def _better(report: ABReport) -> str:
    b, a = _versions(report)
    return f"{b} is better than {a} on {report.test.get_metric_display()}"


def _worse(report: ABReport) -> str:
    b, a = _versions(report)
    return f"{b} is worse than {a} on {report.test.get_metric_display()}"


def _alike(report: ABReport) -> str:
    b, a = _versions(report)
    margin = f"{report.test.margin:g}"
    return f"{b} and {a} differ on {report.test.get_metric_display()} by no more than {margin}"


def _open(report: ABReport) -> str:
    b, a = _versions(report)
    return f"it is not known which of {b} and {a} is better on {report.test.get_metric_display()}"


def _broken(report: ABReport) -> str:
    codes = [RAILS[rail.code] for rail in report.guardrails if rail.breached]
    return f"a guardrail of {_versions(report)[0]} is broken: {_and(codes)}"


def _doubtful(report: ABReport) -> str:
    found = report.statistics
    p_values = {
        "sample_ratio": found and found.sample_ratio_p,
        "coverage": found and found.coverage_p,
    }
    said = []
    for doubt in report.doubts:
        p = p_values.get(doubt)
        said.append(DOUBTS[doubt] if p is None else f"{DOUBTS[doubt]} (p = {p:.2g})")
    return f"the test is not to be trusted: {_and(said)}"


def _numbers(report: ABReport) -> str:
    found = report.statistics
    if report.is_hidden or report.doubts or found is None or found.difference is None:
        return ""
    ends = _ends(report, found)
    level = f"{100 * (1 - report.test.alpha):.4g} %"
    interval = f", {level} interval {ends.low:+.4f} to {ends.high:+.4f}" if ends else ""
    return f" (difference {found.difference:+.4f}{interval}, {report.labels:,} labels)"


def _ends(report: ABReport, found: ABTestReport) -> Ends | None:
    """The interval that decides."""
    if report.test.looks == Looks.AT_HORIZON:
        return found.fixed
    total = found.always_valid
    return None if total is None else Ends(total.low, total.high)


def _and(phrases: list[str]) -> str:
    return " and ".join(phrases)


_CONCLUSIONS = MappingProxyType(
    {
        "b_better": Conclusion.B_WINS,
        "a_better": Conclusion.A_WINS,
        "no_difference": Conclusion.NO_DIFFERENCE,
        "inconclusive": Conclusion.INCONCLUSIVE,
    }
)
_VERDICTS: Mapping[str, Callable[[ABReport], str]] = MappingProxyType(
    {
        "b_better": _better,
        "a_better": _worse,
        "no_difference": _alike,
        "inconclusive": _open,
        "keep_running": _open,
        "not_started": _open,
        "guardrail": _broken,
        "do_not_trust": _doubtful,
    }
)

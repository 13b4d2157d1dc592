"""Says what is wrong with a plan before it is kept, field by field; it keeps none and knows no form."""

from __future__ import annotations

import math
import re
import unicodedata

from django.conf import settings
from django.core.exceptions import ValidationError

from endpoints.errors import InvalidRequest, NoModel
from endpoints.models import ABTest, Status
from endpoints.models.abtest import Looks, TestKind, TestMetric
from endpoints.services.abtests.plans import SETTINGS, most_of
from endpoints.services.label_classes import classes_of
from mlcore.assignment import BUCKETS
from mlcore.errors import CellError

MOST_COST = 1e9
"""Squares of costs are added up; larger ones would leave the range of numbers."""
MOST_LABELS = 100_000_000
TEN_YEARS = 3_650
"""In days."""
A_YEAR = 8_760
"""In hours."""
HOURS_A_DAY = 24
OPEN_TO_TESTS = (Status.TESTING, Status.STAGING, Status.AB_TESTING)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and a symbol that draw nothing."""

Problems = dict[str, str]


def problems(test: ABTest) -> Problems:
    """Return a sentence for each field that is wrong. A horizon that is None is still to be worked out."""
    found: Problems = {}
    try:
        test.clean_fields(exclude=_beyond_the_plan(test))
    except ValidationError as error:
        found = {name: " ".join(said) for name, said in error.message_dict.items()}
    for name, check in _CHECKS.items():
        if (
            name not in found
            and not _RESTS_ON.get(name, set()) & set(found)
            and (said := check(test))
        ):
            found[name] = said
    return found


def require_sound(test: ABTest) -> None:
    """Raise InvalidRequest with all that is wrong, field by field."""
    refuse(problems(test))


def require_share(challenger_share: int) -> None:
    """Raise InvalidRequest unless it is a share in basis points that leaves something to each arm."""
    is_whole = isinstance(challenger_share, int) and not isinstance(challenger_share, bool)
    if not is_whole or not 0 < challenger_share < BUCKETS:
        refuse({"challenger_share": f"Give whole basis points from 1 to {BUCKETS - 1:,}."})


def require_room(test: ABTest, challenger_share: int) -> None:
    """Raise InvalidRequest unless both arms of a bandit begin with their floor at least."""
    if test.kind == TestKind.BANDIT and not test.floor <= challenger_share <= most_of(test):
        refuse(
            {
                "challenger_share": f"Each arm keeps {test.floor:,} basis points at least (floor): give "
                f"{test.floor:,} to {most_of(test):,}."
            }
        )


def refuse(found: Problems) -> None:
    """Raise InvalidRequest with a sentence for each field; nothing wrong raises nothing."""
    cells = [
        CellError(code="bad_setting", message=f"{name}: {said}", column=name)
        for name, said in found.items()
    ]
    if cells:
        raise InvalidRequest(" ".join(cell.message for cell in cells), cells=cells)


def _beyond_the_plan(test: ABTest) -> set[str]:
    others = {field.name for field in ABTest._meta.fields} - set(SETTINGS)
    return others | {"challenger"} | ({"horizon"} if test.horizon is None else set())


def _title(test: ABTest) -> str:
    if not any(map(_is_drawn, test.title)):
        return "Give it a title that can be seen."
    return "Write it in one line." if _CONTROL.search(test.title) else ""


def _is_drawn(sign: str) -> bool:
    """Tell letters, numbers, punctuation and symbols from spaces, controls and what joins or marks others."""
    return unicodedata.category(sign)[0] in "LNPS" and sign not in _BLANK


def _challenger(test: ABTest) -> str:
    version = test.challenger
    if version.endpoint_id != test.endpoint_id:
        return f"Choose a version of “{test.endpoint.slug}”."
    if version.status not in OPEN_TO_TESTS:
        return f"{version.label} is in {version.status_word}: choose one in testing or staging."
    return ""


def _metric(test: ABTest) -> str:
    """F1 and costs tell two kinds of error apart, which takes a positive class."""
    if test.metric == TestMetric.ACCURACY:
        return ""
    word = test.get_metric_display()
    if test.kind == TestKind.BANDIT:
        return f"A bandit goes by how often its arms are right: choose accuracy, {word} is no such share."
    try:
        count = len(classes_of(test.challenger).names)
    except NoModel as error:
        return f"Of {word} the classes must be known. {error.message}"
    return "" if count == 2 else f"{word} needs two classes; {test.challenger.label} has {count}."


def _looks(test: ABTest) -> str:
    if test.kind != TestKind.BANDIT or test.looks == Looks.ANY_TIME:
        return ""
    return "A bandit acts on each look, so that there is no single one at the end: choose any_time."


def _cost(given: float) -> str:
    """Under any metric: a draft may get another one later."""
    return "" if given <= MOST_COST else f"Give a number from 0 to {MOST_COST:,.0f}."


def _cost_fn(test: ABTest) -> str:
    return _cost(test.cost_fn)


def _cost_fp(test: ABTest) -> str:
    if said := _cost(test.cost_fp):
        return said
    is_free = test.metric == TestMetric.EXPECTED_COST and not (test.cost_fp or test.cost_fn)
    return "An error of one kind at least must cost something." if is_free else ""


def _margin(test: ABTest) -> str:
    """A margin that holds the effect would call it no difference as soon as it is known more closely."""
    if said := _in_the_metric(test, test.margin):
        return said
    if test.margin < test.minimum_effect:
        return ""
    effect = f"{test.minimum_effect:g}"
    return f"Give less than the smallest difference to find (minimum_effect), which is {effect}."


def _minimum_effect(test: ABTest) -> str:
    return _in_the_metric(test, test.minimum_effect)


def _in_the_metric(test: ABTest, difference: float) -> str:
    if not _is_finite(difference):
        return "Give a number."
    if test.metric == TestMetric.EXPECTED_COST:
        most = max(test.cost_fp, test.cost_fn)
        return "" if difference < most else f"Costs differ by less than {most:g}."
    return "" if difference < 1 else "It is a share: give a number below 1, such as 0.02 for 2 %."


def _alpha(test: ABTest) -> str:
    return "" if _is_finite(test.alpha) else "Give a number."


def _minimum_labels(test: ABTest) -> str:
    return _at_most(test.minimum_labels, MOST_LABELS, "labels")


def _horizon(test: ABTest) -> str:
    if test.horizon is None:
        return ""
    if test.horizon < test.minimum_labels:
        return f"It ends before the {test.minimum_labels:,} labels that it needs at least."
    return _at_most(test.horizon, MOST_LABELS, "labels")


def _most_days(test: ABTest) -> str:
    if test.most_days == 0:
        return "Give a day at least, or leave it empty."
    return _at_most(test.most_days or 0, TEN_YEARS, "days")


def _maturation(test: ABTest) -> str:
    return _at_most(test.maturation_hours, A_YEAR, "hours") or _outlived(test.maturation_hours)


def _outlived(hours: int) -> str:
    """What is deleted before it counts leaves a test without labels for ever."""
    days = settings.RAISIN_LOG_DAYS
    if not days or hours < HOURS_A_DAY * days:
        return ""
    return (
        f"The log keeps requests for {days:,} days (RAISIN_LOG_DAYS), so that none would count after "
        f"{hours:,} hours: give less than {HOURS_A_DAY * days:,}."
    )


def _latency(test: ABTest) -> str:
    return _limit(test.latency_limit_ms, math.inf)


def _errors(test: ABTest) -> str:
    return _limit(test.error_margin, 1.0)


def _brier(test: ABTest) -> str:
    return _limit(test.brier_margin, 2.0)


def _limit(given: float | None, most: float) -> str:
    if given is None:
        return ""
    if not _is_finite(given):
        return "Give a number, or leave it empty."
    return "" if given <= most else f"Give {most:g} at most."


def _at_most(given: int, most: int, what: str) -> str:
    return "" if given <= most else f"Give {most:,} {what} at most."


def _is_finite(given: float) -> bool:
    return math.isfinite(given)


_CHECKS = {
    "title": _title,
    "challenger": _challenger,
    "metric": _metric,
    "looks": _looks,
    "cost_fn": _cost_fn,
    "cost_fp": _cost_fp,
    "minimum_effect": _minimum_effect,
    "margin": _margin,
    "alpha": _alpha,
    "minimum_labels": _minimum_labels,
    "horizon": _horizon,
    "most_days": _most_days,
    "maturation_hours": _maturation,
    "latency_limit_ms": _latency,
    "error_margin": _errors,
    "brier_margin": _brier,
}
_RESTS_ON = {
    "metric": {"challenger"},
    "cost_fp": {"metric", "cost_fn"},
    "margin": {"metric", "cost_fp", "cost_fn", "minimum_effect"},
    "minimum_effect": {"metric", "cost_fp", "cost_fn"},
    "horizon": {"minimum_labels"},
}
"""A field is not looked at while one that it rests on is wrong."""

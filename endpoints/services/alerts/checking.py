"""Says what is wrong with a rule before it is kept, field by field; it keeps none and knows no form."""

from __future__ import annotations

import math
import re

from django.core.exceptions import ValidationError

from endpoints.errors import InvalidRequest, NoModel
from endpoints.models import AlertRule
from endpoints.models.monitoring import Window
from endpoints.services import mails, snapshots
from endpoints.services.alerts import kinds, telling
from mlcore.errors import CellError, did_you_mean

MOST_RULES = 100
MOST_ADDRESSES = 20
LARGEST_LIMIT = 1e9
YEAR_MINUTES = 525_600
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

Problems = dict[str, str]


def problems(rule: AlertRule) -> Problems:
    """Return a sentence for each field that is wrong."""
    found: Problems = {}
    try:
        rule.clean_fields(exclude=["endpoint", "created_by"])
    except ValidationError as error:
        found = {name: " ".join(said) for name, said in error.message_dict.items()}
    for name, check in _CHECKS.items():
        if name not in found and "metric" not in found and (said := check(rule)):
            found[name] = said
    return found


def require_sound(rule: AlertRule) -> None:
    """Raise InvalidRequest with all that is wrong, field by field."""
    cells = [
        CellError(code="bad_setting", message=f"{name}: {said}", column=name)
        for name, said in problems(rule).items()
    ]
    if cells:
        raise InvalidRequest(" ".join(cell.message for cell in cells), cells=cells)


def _endpoint(rule: AlertRule) -> str:
    is_one_more = rule.pk is None and rule.endpoint.alert_rules.count() >= MOST_RULES
    return f"It has {MOST_RULES} rules, which is the most." if is_one_more else ""


def _name(rule: AlertRule) -> str:
    if not rule.name.strip():
        return "Give it a name."
    return "Write it in one line." if _CONTROL.search(rule.name) else ""


def _feature(rule: AlertRule) -> str:
    word = rule.get_metric_display()
    if rule.metric not in kinds.OF_A_FEATURE:
        return f"Leave it empty: “{word}” is of no single feature." if rule.feature else ""
    if not rule.feature:
        return f"Name the feature: “{word}” is of one feature."
    known = _features(rule)
    if known and rule.feature not in known:
        hint = did_you_mean(rule.feature, known) or "."
        return f"The version in production has no feature of this name{hint}"
    return ""


def _features(rule: AlertRule) -> list[str]:
    """Return the columns of the version in production; none where it cannot be asked."""
    version = rule.endpoint.versions.in_production().first()
    if version is None:
        return []
    try:
        return [column.name for column in snapshots.load(version).schema.columns]
    except NoModel:
        return []


def _window(rule: AlertRule) -> str:
    if rule.window == Window.ROWS and rule.metric not in kinds.FROM_REPORTS:
        return f"“{rule.get_metric_display()}” is counted by time: choose hour, day or week."
    return ""


def _limit(rule: AlertRule) -> str:
    if not math.isfinite(rule.limit) or not 0 <= rule.limit <= LARGEST_LIMIT:
        return "Give a number from 0 to 1,000,000,000."
    if rule.metric in kinds.SHARES and rule.limit > 1:
        return "It is a share: give a number from 0 to 1, such as 0.05 for 5 %."
    return ""


def _cooldown(rule: AlertRule) -> str:
    return "Give a year at most." if rule.cooldown_minutes > YEAR_MINUTES else ""


def _emails(rule: AlertRule) -> str:
    given = telling.addresses(rule)
    if len(given) > MOST_ADDRESSES:
        return f"Give {MOST_ADDRESSES} addresses at most."
    for address in given:
        try:
            mails.check_address(address)
        except InvalidRequest as error:
            return error.message
    return ""


_CHECKS = {
    "endpoint": _endpoint,
    "name": _name,
    "feature": _feature,
    "window": _window,
    "limit": _limit,
    "cooldown_minutes": _cooldown,
    "emails": _emails,
}

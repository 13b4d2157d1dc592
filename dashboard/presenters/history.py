"""What was decided about an endpoint's versions, and what was live at a moment, as people read it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from endpoints.models import AlgorithmVersion, Event, Metric, StatusChange

WORDS = {
    "register": "registered",
    "stage": "staged",
    "start_test": "put into a test",
    "stop_test": "taken out of the test",
    "promote": "promoted to production",
    "replace": "archived, replaced by the next version",
    "roll_back": "rolled back to production",
    "reject": "sent back to testing",
    "archive": "archived",
    "restore": "restored to testing",
    "create": "created",
    "change": "changed",
    "pause": "paused",
    "resume": "resumed",
    "create_key": "created",
    "revoke_key": "revoked",
}


@dataclass(frozen=True)
class VersionRow:
    """A version with its primary metric and how far that is from production's."""

    version: AlgorithmVersion
    value: float | None
    change: float | None


@dataclass(frozen=True)
class Told:
    """Something that happened, with its verb in words."""

    what: StatusChange | Event
    words: str


@dataclass(frozen=True)
class Moment:
    """What answered at a moment; `change` is None if nothing did."""

    at: datetime
    change: StatusChange | None


def told(happened: Iterable[StatusChange | Event]) -> list[Told]:
    return [Told(what, WORDS.get(what.verb, what.verb.replace("_", " "))) for what in happened]


def version_rows(
    versions: Iterable[AlgorithmVersion], metric: str, live: AlgorithmVersion | None
) -> list[VersionRow]:
    """Return a row a version; each metric is of the version's own validation rows."""
    listed = list(versions)
    runs = {version.run_id for version in listed} | ({live.run_id} if live else set())
    found = Metric.objects.filter(run__in=runs, key=f"validation_{metric}")
    values = dict(found.values_list("run_id", "value"))
    base = values.get(live.run_id) if live else None
    return [
        VersionRow(version, value, _change(value, base, is_base=version == live))
        for version in listed
        for value in (values.get(version.run_id),)
    ]


def _change(value: float | None, base: float | None, *, is_base: bool) -> float | None:
    return None if value is None or base is None or is_base else value - base

"""What was decided about an endpoint's versions, and what was live at a moment, as people read it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from dashboard.presenters import claims
from endpoints.models import AlgorithmVersion, Event, Metric, StatusChange

WORDS = {
    "register": "registered",
    "evaluate": "evaluated",
    "stage": "staged",
    "request": "promotion requested",
    "withdraw": "withdrawn to testing",
    "start_test": "put into a test",
    "stop_test": "taken out of the test",
    "promote": "promoted to production",
    "not_auto_promoted": "not promoted automatically",
    "replace": "archived, replaced by the next version",
    "roll_back": "rolled back to production",
    "reject": "rejected, back to testing",
    "archive": "archived",
    "restore": "restored to testing",
    "edit_card": "has a new text on its card",
    "create": "created",
    "change": "changed",
    "pause": "paused",
    "resume": "resumed",
    "create_key": "created",
    "revoke_key": "revoked",
    "model_unusable": "cannot be used",
    "model_usable": "can be used again",
    "alert_pending": "is pending",
    "alert_firing": "fires",
    "alert_resolved": "is resolved",
    "acknowledge_alert": "acknowledged",
    "create_alert_rule": "created",
    "change_alert_rule": "changed",
    "delete_alert_rule": "deleted",
    "mute_alert_rule": "muted",
    "unmute_alert_rule": "no longer muted",
    "test_alert_rule": "tried out",
    "limit_key": "limited to another rate",
    "create_abtest": "planned",
    "change_abtest": "has another plan",
    "start_abtest": "started",
    "change_share": "has another share of traffic, in a new phase",
    "stop_abtest": "stopped",
    "delete_abtest": "deleted before it started",
    "delete_requests": "deleted, older than the log is kept",
    "create_batch": "handed in to be scored",
    "start_batch": "started",
    "cancel_batch": "cancelled",
    "delete_batch": "lost its files",
}


@dataclass(frozen=True)
class VersionRow:
    """A version with its primary metric and how far that is from production's."""

    version: AlgorithmVersion
    value: float | None
    change: float | None
    claimed: bool = False


@dataclass(frozen=True)
class Told:
    """Something that happened, with its verb in words and the gates that it overruled by name."""

    what: StatusChange | Event
    words: str
    overruled: str = ""


@dataclass(frozen=True)
class Moment:
    """What answered at a moment; `change` is None if nothing did."""

    at: datetime
    change: StatusChange | None


CSV_HEADER = ("at", "version", "what", "from", "to", "by", "reason", "gates", "overruled")


def told(happened: Iterable[StatusChange | Event]) -> list[Told]:
    return [Told(what, _words(what), _overruled(what)) for what in happened]


def csv_row(change: StatusChange) -> tuple[str, ...]:
    gates = "; ".join(f"{gate['name']}: {gate['verdict']}" for gate in change.gates)
    return (
        change.at.isoformat(),
        change.version.label,
        change.verb,
        change.from_status,
        change.to_status,
        change.actor_name,
        change.reason,
        gates,
        _overruled(change),
    )


def _words(what: StatusChange | Event) -> str:
    return WORDS.get(what.verb, what.verb.replace("_", " "))


def _overruled(what: StatusChange | Event) -> str:
    """Return the gates that failed and were overruled, by the names that they had then."""
    if isinstance(what, Event) or not what.overridden:
        return ""
    names = {gate["code"]: gate["name"] for gate in what.gates}
    return ", ".join(names.get(code, code) for code in what.overridden)


def version_rows(
    versions: Iterable[AlgorithmVersion], metric: str, live: AlgorithmVersion | None
) -> list[VersionRow]:
    """Return a row a version; each metric is of the version's own validation rows.

    Of an uploaded version that is a claim, unless it was evaluated here: then it is of those rows.
    """
    listed = list(versions)
    known = {version.pk: version for version in (*listed, *filter(None, [live]))}
    runs = {version.run_id for version in known.values()}
    found = Metric.objects.filter(run__in=runs, key=f"validation_{metric}")
    values = dict(found.values_list("run_id", "value"))
    here = claims.found_here(known.values(), metric)
    shown = {pk: here.get(pk, values.get(version.run_id)) for pk, version in known.items()}
    base = shown[live.pk] if live else None
    return [
        VersionRow(
            version,
            shown[version.pk],
            _change(shown[version.pk], base, is_base=version == live),
            claimed=version.run.uploaded and version.pk not in here,
        )
        for version in listed
    ]


def _change(value: float | None, base: float | None, *, is_base: bool) -> float | None:
    return None if value is None or base is None or is_base else value - base

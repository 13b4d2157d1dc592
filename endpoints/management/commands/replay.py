"""`manage.py replay`: what another version would have answered to the requests that are in the log."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from endpoints.errors import InvalidRequest, NotFound
from endpoints.management.base import JsonCommand
from endpoints.models import AlgorithmVersion
from endpoints.services import access, replay
from endpoints.services.access import Caller, Need
from endpoints.services.agreement import Agreement
from endpoints.services.replay import Replay

SPAN = re.compile(r"(\d{1,6})([dhm])")
UNITS = {"d": "days", "h": "hours", "m": "minutes"}
LISTED = (
    "request_id", "row", "answered", "replayed", "of", "answered_probability", "replayed_probability",
)  # fmt: skip


class Command(JsonCommand):
    help = "Score logged requests again with another version and tell how far the two agree."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("--endpoint", required=True, metavar="SLUG")
        add("--version", type=int, required=True, dest="number", help="Which to score with.")
        add("--since", required=True, help="2026-11-02, 2026-11-02T09:00+01:00, 7d, 24h or 30m.")
        add("--until", default="", help="The same (default: now).")
        add("--against", type=int, help="Only requests that this version answered.")
        add("--limit", type=int, help="At most so many requests, the oldest first.")

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        """Django's own --version, which tells that of Django, would take the name."""
        return super().create_parser(*args, conflict_handler="resolve", **options)

    def run(self, **options: Any) -> Mapping[str, Any]:
        now = timezone.now()
        asked = Replay(
            version=version_of(options["endpoint"], options["number"]),
            since=moment(options["since"], now),
            until=moment(options["until"], now) if options["until"] else now,
            against=options["against"],
            limit=options["limit"],
        )
        started = perf_counter()
        with no_collection():
            replayed = replay.run(asked)
        reports = [about(*pair) for pair in replayed.by_version.items()]
        return {
            "endpoint": options["endpoint"],
            "version": options["number"],
            "since": asked.since.isoformat(),
            "until": asked.until.isoformat(),
            "requests": replayed.requests,
            "rows": sum(report["rows"] for report in reports),
            "not_scored": sum(report["not_scored"] for report in reports),
            "seconds": round(perf_counter() - started, 3),
            "against": reports,
        }

    def present(self, facts: Mapping[str, Any]) -> str:
        return "\n".join(
            [
                f"v{facts['version']} of “{facts['endpoint']}” on {facts['requests']:,} logged requests, "
                f"{facts['rows']:,} rows.",
                *(line for report in facts["against"] for line in told(report, facts["version"])),
            ]
        )


@contextmanager
def no_collection() -> Iterator[None]:
    """Lists of numbers hold no cycles, and to look for some takes a third of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def version_of(slug: str, number: int) -> AlgorithmVersion:
    shell = Caller(system="command line")
    endpoint = access.get_endpoint(caller=shell, slug=slug, need=Need.READ)
    found = endpoint.versions.filter(number=number).select_related("endpoint").first()
    if found is None:
        raise NotFound(f"“{slug}” has no version {number}.")
    return found


def moment(text: str, now: datetime) -> datetime:
    """Read a date, a date and time, or a span before now; without a zone it is in the site's."""
    if span := SPAN.fullmatch(text):
        return now - timedelta(**{UNITS[span[2]]: int(span[1])})
    try:
        date = parse_date(text)
        found = datetime(date.year, date.month, date.day) if date else parse_datetime(text)
    except ValueError:  # such as a 31st of June
        found = None
    if found is None:
        raise InvalidRequest(f"“{text}” is no time; write 2026-11-02, 2026-11-02T09:00, 7d or 24h.")
    return found if found.tzinfo else timezone.make_aware(found)


def about(answered: AlgorithmVersion, agreement: Agreement) -> dict[str, Any]:
    """Return what is to tell about the requests that one version answered."""
    low, high = agreement.interval
    differences, accuracy = agreement.differences, agreement.accuracy()
    return {
        "version": answered.number,
        "rows": agreement.rows,
        "not_scored": agreement.not_scored,
        "agreed": agreement.agreed,
        "agreement": agreement.agreed / agreement.rows if agreement.rows else None,
        "agreement_low": low,
        "agreement_high": high,
        "differences": asdict(differences) if differences else None,
        "classes": list(agreement.classes),
        "decisions": agreement.decisions.tolist(),
        "largest": [one._asdict() for one in agreement.largest],
        "labels": accuracy
        and {
            "n": accuracy.n,
            "accuracy_answered": accuracy.second,
            "accuracy_replayed": accuracy.first,
            "difference": accuracy.difference,
            "difference_low": accuracy.low,
            "difference_high": accuracy.high,
        },
    }


def told(report: Mapping[str, Any], number: int) -> Iterator[str]:
    yield ""
    yield f"Against v{report['version']}, which answered: {report['rows']:,} rows compared"
    if report["not_scored"]:
        yield f"  cannot be scored by v{number}: {report['not_scored']:,}"
    if not report["rows"]:
        return
    yield (
        f"  same decision        {report['agreement']:.2%}  (95 % interval "
        f"{report['agreement_low']:.2%} to {report['agreement_high']:.2%})"
    )
    found = report["differences"]
    quantiles = ", ".join(f"{float(q):.0%} {v:.4f}" for q, v in found["quantiles"].items())
    yield f"  probability differs  {found['mean']:.4f} in the mean; {quantiles}; largest {found['largest']:.4f}"
    yield from labels_told(report["labels"], report["version"], number)
    yield f"  decisions (rows: v{report['version']}, columns: v{number})"
    yield from table([["", *report["classes"]], *named_rows(report)])
    yield "  largest differences"
    rows = [[shown(one[name]) for name in LISTED] for one in report["largest"]]
    head = ["request", "row", "answered", f"v{number}", "probability of", "answered", f"v{number}"]
    yield from table([head, *rows])


def labels_told(labels: Mapping[str, Any] | None, before: int, number: int) -> Iterator[str]:
    if labels is None:
        yield "  true labels          none yet"
        return
    yield (
        f"  true labels          {labels['n']:,}; accuracy v{before} {labels['accuracy_answered']:.4f}, "
        f"v{number} {labels['accuracy_replayed']:.4f}"
    )
    low, high = labels["difference_low"], labels["difference_high"]
    interval = "" if low is None else f"  (95 % interval {low:+.4f} to {high:+.4f}, same rows)"
    yield f"  difference           {labels['difference']:+.4f}{interval}"


def named_rows(report: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, counts in zip(report["classes"], report["decisions"], strict=True):
        yield [name, *(f"{count:,}" for count in counts)]


def shown(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def table(rows: list[list[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "    " + "  ".join(map(str.ljust, row, widths)).rstrip()

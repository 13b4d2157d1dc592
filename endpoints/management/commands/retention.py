"""`manage.py retention`: delete logged requests that are old enough, or say how many there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from endpoints.management.base import JsonCommand
from endpoints.services import retention


class Command(JsonCommand):
    help = (
        "Delete logged requests older than some days with their labels, the names of units of A/B tests "
        "stopped before, and old counts by minute."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--days",
            type=int,
            default=settings.RAISIN_LOG_DAYS,
            help="Keep the requests of so many days, 0 all of them (default: RAISIN_LOG_DAYS).",
        )
        parser.add_argument("--dry-run", action="store_true", help="Count and delete nothing.")

    def run(self, **options: Any) -> Mapping[str, Any]:
        days = options["days"]
        if days < 0:
            raise CommandError("--days must be 0 or more.")
        do = retention.find if options["dry_run"] else retention.delete
        old = do(days=days, now=timezone.now())
        return {
            "days": days,
            "before": old.before.isoformat() if old.before else None,
            "requests": old.requests,
            "labels": old.labels,
            "minutes": old.minutes,
            "units": old.units,
            "deleted": not options["dry_run"],
        }

    def present(self, facts: Mapping[str, Any]) -> str:
        verb = "Deleted" if facts["deleted"] else "Would delete"
        minutes = f"{verb} {facts['minutes']:,} old counts by minute."
        if facts["before"] is None:
            return f"Requests are kept for good (0 days). {minutes}"
        return (
            f"{verb} {facts['requests']:,} requests before {facts['before'][:16].replace('T', ' ')} UTC "
            f"with {facts['labels']:,} labels, and {facts['units']:,} units of A/B tests. {minutes}"
        )

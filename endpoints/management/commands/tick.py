"""`manage.py tick`: look through what was logged and labelled since the last time, once; tidy what processes left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from endpoints.management.base import JsonCommand
from endpoints.services import access, housekeeping, installation, leases
from endpoints.services.access import Caller, Need
from endpoints.services.monitoring import tick
from endpoints.services.monitoring.tick import Failed, Ticked

OPERATOR = Caller(system="tick")


class Command(JsonCommand):
    help = (
        "Look through the requests and labels that came since the last time: drift, estimates, alerts. "
        "`work` does so once a minute; run this from cron where no worker runs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--endpoint", metavar="SLUG", help="Only this one (default: all).")

    def run(self, **options: Any) -> Mapping[str, Any]:
        if installation.is_empty() or installation.pending_migrations():
            raise CommandError("The database is behind the code: run `manage.py prepare`.")
        slug = options["endpoint"]
        leases.close_abandoned(timezone.now())
        housekeeping.sweep(timezone.now())
        if slug is None:
            found = tick.tick_all(timezone.now)
        else:
            endpoint = access.get_endpoint(caller=OPERATOR, slug=slug, need=Need.MONITOR)
            found = [tick.tick(endpoint, timezone.now)]
        failed = [one for one in found if isinstance(one, Failed)]
        if failed:
            raise CommandError("\n".join(f"{one.slug}: {one.problem}" for one in failed))
        return {"endpoints": [one.facts for one in found if isinstance(one, Ticked)]}

    def present(self, facts: Mapping[str, Any]) -> str:
        lines = [_sentence(found) for found in facts["endpoints"]]
        return "\n".join(lines) or "There is no endpoint."


def _sentence(found: Mapping[str, Any]) -> str:
    about = (
        f"{found['requests']:,} new requests, {found['rows']:,} rows, {found['windows']:,} windows"
    )
    skipped = f", {found['skipped']:,} rows skipped" if found["skipped"] else ""
    busy = "" if found["complete"] else "; not complete, look again (the log says more)"
    return f"{found['endpoint']}: {about}{skipped}{busy}"

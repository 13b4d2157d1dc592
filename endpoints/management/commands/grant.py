"""`manage.py grant`: give a person a role, everywhere or at one endpoint, or take it away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from endpoints.management.base import JsonCommand
from endpoints.roles import ROLES
from endpoints.services import access, memberships, people
from endpoints.services.access import Caller, Need


class Command(JsonCommand):
    help = "Give a person a role, everywhere or at one endpoint; --revoke takes it away."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("username")
        parser.add_argument("role", help=f"One of {', '.join(ROLES)}.")
        parser.add_argument("--endpoint", default="", metavar="SLUG", help="At this one alone.")
        parser.add_argument("--revoke", action="store_true", help="Take the role away.")

    def run(self, **options: Any) -> Mapping[str, Any]:
        user = people.find_user(options["username"])
        role = memberships.find_role(options["role"])
        actor = Caller(system="command line")
        to_do = {"user": user, "role": role, "actor": actor, "now": timezone.now()}
        if options["endpoint"]:
            endpoint = access.get_endpoint(
                caller=actor, slug=options["endpoint"], need=Need.MEMBERS
            )
            change = memberships.remove if options["revoke"] else memberships.add
            changed = change(endpoint=endpoint, **to_do)
        else:
            changed = (memberships.withdraw if options["revoke"] else memberships.grant)(**to_do)
        return {
            "username": user.get_username(),
            "role": role.name,
            "endpoint": options["endpoint"] or None,
            "holds": not options["revoke"],
            "changed": changed,
        }

    def present(self, facts: Mapping[str, Any]) -> str:
        where = f" at {facts['endpoint']}" if facts["endpoint"] else ""
        before = "" if facts["changed"] else " already"
        verb = "is" if facts["holds"] else "is not"
        return f"{facts['username']} {verb} {facts['role']}{where}{before}."

"""`manage.py login_link`: print a one-time login link for a user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandParser

from endpoints.management.base import JsonCommand
from endpoints.services import people


class Command(JsonCommand):
    help = "Print a one-time login link for the first administrator or a named user."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("username", nargs="?", default="")

    def run(self, **options: Any) -> Mapping[str, Any]:
        username = options["username"]
        user = people.find_user(username) if username else people.first_admin()
        return {"username": user.get_username(), "login_url": people.login_link(user)}

    def present(self, facts: Mapping[str, Any]) -> str:
        return str(facts["login_url"])

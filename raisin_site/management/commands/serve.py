"""`manage.py serve`: prepare the installation, then serve it with Granian in one worker process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError, CommandParser
from django.db import connections

from endpoints.management.base import JsonCommand
from endpoints.services import people


class Command(JsonCommand):
    help = "Serve pages and REST. One process of a few threads; scale out with more pods."
    requires_system_checks: list[str] = []  # they load every view, and the server does that again

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--host", default=settings.RAISIN_HOST)
        parser.add_argument("--port", type=int, default=settings.RAISIN_PORT)
        parser.add_argument(
            "--skip-prepare",
            action="store_true",
            help="Neither migrate nor collect static files (many pods: run `prepare` once before).",
        )
        parser.add_argument(
            "--with-worker",
            action="store_true",
            help="Run `manage.py work` beside it, for as long as the server runs.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        self.stdout.flush()
        if options["with_worker"]:
            start_worker()
        serve(options["host"], options["port"])

    def run(self, **options: Any) -> Mapping[str, Any]:
        host, port = options["host"], options["port"]
        refuse_taken_port(host, port)
        link = None
        if not options["skip_prepare"]:
            call_command("prepare", stdout=self.stderr)
            link = first_login_link()
        return {"url": f"http://{host}:{port}", "login_url": link}

    def present(self, facts: Mapping[str, Any]) -> str:
        greeting = f"Raisin serves at {facts['url']} (stop with Ctrl+C)"
        if facts["login_url"] is None:
            return greeting
        return f"First start. Log in once with this link:\n  {facts['login_url']}\n{greeting}"


def first_login_link() -> str | None:
    """Return a link while the installation has no account yet."""
    if get_user_model().objects.exists():
        return None
    return people.login_link(people.first_admin())


def refuse_taken_port(host: str, port: int) -> None:
    """The server would only say that a worker died; say the cause before it starts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port."
            ) from error


def start_worker() -> None:
    """A process of its own, which is kept: what it loads and computes is not the server's."""
    keeper = str(settings.BASE_DIR / "raisin_site" / "keeper.py")
    worker = [sys.executable, str(settings.BASE_DIR / "manage.py"), "work"]
    subprocess.Popen([sys.executable, keeper, str(os.getpid()), *worker])  # noqa: S603  our own words


def serve(host: str, port: int) -> None:
    """Become the server: the same process, without what this command needed to prepare."""
    connections.close_all()
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(settings.BASE_DIR), inherited)))
    # Memory that a large body took goes back to the system, and not into 16 stores, one for each thread.
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", "131072")
    # -P: what lies in the folder where somebody types the command is not ours to import.
    arguments = [sys.executable, "-P", "-m", "raisin_site.server", host, str(port)]
    os.execv(sys.executable, arguments)  # noqa: S606  no shell, no words from outside

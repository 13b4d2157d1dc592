"""`manage.py doctor`: what is wrong with this installation, each finding with the way to mend it."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from django.conf import settings
from django.core.checks import ERROR, run_checks
from django.core.management.base import CommandError
from django.db import connection

from endpoints.management.base import JsonCommand
from endpoints.models.run import Run
from raisin_site import __version__, readiness
from raisin_site.management.commands.prepare import source_fingerprint

MARKS = {"pass": "ok  ", "warn": "warn", "fail": "FAIL"}


@dataclass(frozen=True)
class Finding:
    name: str
    verdict: Literal["pass", "warn", "fail"]
    message: str


class Command(JsonCommand):
    help = "Examine the installation; exit code 1 if something must be mended."

    def run(self, **options: Any) -> Mapping[str, Any]:
        findings = list(examine())
        healthy = all(finding.verdict != "fail" for finding in findings)
        return {
            "healthy": healthy,
            "version": __version__,
            "findings": [asdict(finding) for finding in findings],
        }

    def present(self, facts: Mapping[str, Any]) -> str:
        return "\n".join(
            f"{MARKS[f['verdict']]}  {f['name']}: {f['message']}" for f in facts["findings"]
        )

    def handle(self, *args: Any, **options: Any) -> None:
        facts = self.run(**options)
        self.print_facts(facts, options)
        if not facts["healthy"]:
            raise CommandError("Something must be mended.")


def examine() -> Iterator[Finding]:
    checks: tuple[Callable[[], Finding], ...] = (home, secret, static_files, django_checks, hosts)
    for check in checks:
        yield check()
    for condition in readiness.examine():
        yield Finding(condition.name, "pass" if condition.ok else "fail", condition.message)
        if not condition.ok:
            return
    yield unfinished_runs()


def home() -> Finding:
    path = Path(settings.RAISIN_HOME)
    try:
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        return Finding(
            "home", "fail", f"{path} is not writable: {error.strerror}. Set RAISIN_HOME."
        )
    return Finding("home", "pass", f"{path} ({connection.vendor})")


def secret() -> Finding:
    path = Path(settings.RAISIN_HOME) / "secret_key"
    if os.environ.get("RAISIN_SECRET_KEY") or os.environ.get("RAISIN_SECRET_KEY_FILE"):
        return Finding("secret key", "pass", "from the environment")
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding("secret key", "warn", f"Others can read {path}: run chmod 600 on it.")
    return Finding("secret key", "pass", f"{path}")


def static_files() -> Finding:
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    if stamp.exists() and stamp.read_text(encoding="ascii") == source_fingerprint():
        return Finding("static files", "pass", str(settings.STATIC_ROOT))
    return Finding("static files", "fail", "Missing or old: run `manage.py prepare`.")


def django_checks() -> Finding:
    messages = run_checks()
    errors = [message for message in messages if message.level >= ERROR]
    if errors:
        return Finding("settings", "fail", "; ".join(str(error.msg) for error in errors))
    if settings.DEBUG:
        return Finding("settings", "warn", "RAISIN_DEBUG is on: errors show internals.")
    return Finding("settings", "pass", "no errors")


def hosts() -> Finding:
    if "*" in settings.ALLOWED_HOSTS:
        return Finding("hosts", "warn", "RAISIN_ALLOWED_HOSTS admits every host name.")
    if not settings.RAISIN_HTTPS and not settings.RAISIN_URL.startswith(
        ("http://127.0.0.1", "http://localhost")
    ):
        return Finding("hosts", "warn", "RAISIN_URL is not https: cookies travel in the clear.")
    return Finding("hosts", "pass", ", ".join(settings.ALLOWED_HOSTS))


def unfinished_runs() -> Finding:
    """What a worker has is taken over by another if it dies; a command's training is nobody's."""
    running = Run.objects.filter(state="running", worker="").count()
    if running:
        return Finding(
            "runs", "warn", f"{running} runs never ended; a training may have been killed."
        )
    return Finding("runs", "pass", "none unfinished")

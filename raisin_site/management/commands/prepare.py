"""`manage.py prepare`: bring the database and the static files up to the code; safe to repeat."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command

from endpoints.management.base import JsonCommand
from endpoints.services import installation
from raisin_site import __version__


class Command(JsonCommand):
    help = "Apply migrations and collect static files where that is due."

    def run(self, **options: Any) -> Mapping[str, Any]:
        is_behind = installation.pending_migrations()
        if is_behind:
            call_command("migrate", interactive=False, verbosity=0)
            installation.begin_lost_log()
        return {"migrated": is_behind, "collected": collect_static()}

    def present(self, facts: Mapping[str, Any]) -> str:
        done = (["the database is up to date"] if facts["migrated"] else []) + (
            ["static files are collected"] if facts["collected"] else []
        )
        return f"Prepared: {', '.join(done) or 'nothing was due'}"


def collect_static() -> bool:
    """Collect unless this code's files are there already; the stamp goes last."""
    root = Path(settings.STATIC_ROOT)
    stamp, fingerprint = root / ".collected", source_fingerprint()
    if stamp.exists() and stamp.read_text(encoding="ascii") == fingerprint:
        return False
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(fingerprint, encoding="ascii")
    return True


def source_fingerprint() -> str:
    """Name the release and what the stylesheets and scripts hold, so that an edit is collected too."""
    source = settings.BASE_DIR / "dashboard" / "static"
    digest = hashlib.sha256(__version__.encode())
    for path in sorted(source.rglob("*")):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()

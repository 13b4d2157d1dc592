"""`manage.py prepare`: bring the database and the static files up to the code; safe to repeat."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from endpoints.models import Endpoint
from endpoints.services import installation
from raisin_site import __version__


class Command(BaseCommand):
    help = "Apply migrations and collect static files where that is due."

    def handle(self, *args: Any, **options: Any) -> None:
        if installation.pending_migrations():
            call_command("migrate", interactive=False, verbosity=0)
            self.stdout.write(f"Database ready: {Endpoint.objects.count()} endpoints")
        if collect_static():
            self.stdout.write("Static files ready")


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

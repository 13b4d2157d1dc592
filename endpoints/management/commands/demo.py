"""`manage.py demo`: from an empty folder to a site with content and a one-time login link."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from endpoints.management.base import JsonCommand
from endpoints.models import Endpoint, Feedback, PredictionRequest, Run
from endpoints.services import demo, people
from endpoints.services.access import Caller


class Command(JsonCommand):
    help = "Prepare the installation and fill it with the Raisin demo; repeating it only prints a new link."

    def run(self, **options: Any) -> Mapping[str, Any]:
        call_command("prepare", stdout=self.stderr)
        admin = people.first_admin()
        if Endpoint.objects.filter(slug=demo.SLUG).exists():
            self.say("The demo is already here.")
        else:
            demo.load(actor=Caller(user=admin), clock=timezone.now, say=self.say)
            _answer_at_the_root()
        return self._facts(people.login_link(admin))

    def _facts(self, login_url: str) -> dict[str, Any]:
        endpoint = Endpoint.objects.get(slug=demo.SLUG)
        runs = Run.objects.filter(versions__endpoint=endpoint).order_by("started_at")
        status = dict(endpoint.versions.values_list("status", "number").order_by("number"))
        return {
            "home": str(settings.RAISIN_HOME),
            "endpoint": endpoint.slug,
            "runs": [run.id for run in runs],
            "production": status.get("production"),
            "staging": status.get("staging"),
            "predictions": PredictionRequest.objects.filter(endpoint=endpoint).count(),
            "feedback": Feedback.objects.filter(request__endpoint=endpoint, current=True).count(),
            "synthetic": any(run.synthetic for run in runs),
            "login_url": login_url,
        }

    def present(self, facts: Mapping[str, Any]) -> str:
        data = "SYNTHETIC stand-in data" if facts["synthetic"] else "the real Raisin data"
        return (
            f"Endpoint “{facts['endpoint']}” on {data}: v{facts['production']} in production, "
            f"v{facts['staging']} in staging, {facts['predictions']} predictions.\n\n"
            f"Log in once with this link (valid {settings.RAISIN_LOGIN_LINK_SECONDS // 60} minutes):\n"
            f"  {facts['login_url']}\n"
        )


def _answer_at_the_root() -> None:
    """Let the demo answer where small services do; settings that somebody wrote are left alone."""
    file = Path(settings.RAISIN_HOME) / "raisin.env"
    if not file.exists():
        file.write_text(f"RAISIN_ROOT_ENDPOINT={demo.SLUG}\n")

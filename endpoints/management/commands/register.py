"""`manage.py register`: take a model from outside, in its one file or folder, as an endpoint's next version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.urls import reverse
from django.utils import timezone

from endpoints.management.base import JsonCommand, ensure_prepared
from endpoints.models import AlgorithmVersion, Endpoint, Status
from endpoints.services import access, catalog, registration
from endpoints.services.access import Caller, Need

SHELL = Caller(system="command line")


class Command(JsonCommand):
    help = "Register a bundle that was made elsewhere. What it says of itself is kept as a claim."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("file", type=Path, help="What mlcore.save or bundle_from_sklearn wrote.")
        add("--endpoint", required=True, help="Slug of the endpoint.")
        add("--name", default="", help="The run's name.")
        add("--note", default="", help="What the model is for and how it was made.")
        add("--create", action="store_true", help="Make the endpoint if it is not there.")

    def run(self, **options: Any) -> Mapping[str, Any]:
        ensure_prepared(self.stderr)
        bundle = {
            "content": options["file"],
            "now": timezone.now(),
            "name": options["name"],
            "note": options["note"],
        }
        if options["create"]:
            catalog.refuse_unusable_slug(options["endpoint"])
            registration.refuse_unusable(**bundle)
        return facts(
            registration.register_upload(endpoint=endpoint_of(options), actor=SHELL, **bundle)
        )

    def present(self, facts: Mapping[str, Any]) -> str:
        evaluation = facts["evaluation"]
        lines = [
            f"Registered as v{facts['version']} of “{facts['endpoint']}”, in {facts['status']}: "
            f"{facts['url']}",
            f"  SHA-256 {facts['sha256']}",
        ]
        if facts["status"] == Status.PRODUCTION:
            lines.append("  It was promoted at once, as the endpoint asks for.")
        else:
            lines.append(f"  {facts['schema']['message']}")
        if evaluation:
            lines.append(
                f"  Accuracy {evaluation['metrics']['accuracy']:.4f}, log loss "
                f"{evaluation['metrics']['log_loss']:.4f} on {evaluation['rows']} "
                f"{evaluation['dataset']}"
            )
        else:
            lines.append("  Not evaluated here yet: its numbers are its maker's claims.")
        return "\n".join(lines)


def endpoint_of(options: Mapping[str, Any]) -> Endpoint:
    slug = options["endpoint"]
    if options["create"]:
        return catalog.get_or_create_endpoint(slug=slug, actor=SHELL, now=timezone.now())
    return access.get_endpoint(caller=SHELL, slug=slug, need=Need.REGISTER)


def facts(version: AlgorithmVersion) -> dict[str, Any]:
    verdict = registration.schema_verdict(version, actor=SHELL, now=timezone.now())
    evaluation = version.evaluations.first()
    place = [version.endpoint.slug, version.number]
    return {
        "endpoint": version.endpoint.slug,
        "version": version.number,
        "status": version.status,
        "run_id": version.run_id,
        "sha256": version.artifact_sha256,
        "url": settings.RAISIN_URL + reverse("dashboard:version", args=place),
        "schema": {"verdict": verdict.verdict, "message": verdict.message},
        "evaluation": evaluation
        and {
            "dataset": evaluation.dataset_name,
            "rows": evaluation.dataset_rows,
            "metrics": evaluation.metrics,
        },
    }

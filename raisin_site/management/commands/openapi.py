"""`manage.py openapi`: write what the REST interface is into docs/openapi.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from endpoints.management.base import JsonCommand


class Command(JsonCommand):
    help = "Write the OpenAPI document of the REST interface; it is served at /api/v1/openapi.yaml."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        default = settings.BASE_DIR / "docs" / "openapi.yaml"
        parser.add_argument("file", nargs="?", type=Path, default=default)

    def run(self, **options: Any) -> Mapping[str, Any]:
        from endpoints.api import openapi  # nothing that serves needs it

        document = openapi.document()
        options["file"].write_text(as_yaml(document), encoding="utf-8")
        operations = sum(len(set(item) - {"parameters"}) for item in document["paths"].values())
        return {"file": str(options["file"]), "operations": operations}

    def present(self, facts: Mapping[str, Any]) -> str:
        return f"{facts['operations']} operations are described in {facts['file']}."


def as_yaml(document: Mapping[str, Any]) -> str:
    """Write it in one fixed form, so that two versions can be compared line by line."""
    try:
        import yaml
    except ModuleNotFoundError:
        raise CommandError("This needs PyYAML, which `make setup-dev` installs.") from None
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return text

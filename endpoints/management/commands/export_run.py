"""`manage.py export_run`: write a run of the registry as a folder of plain files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from endpoints.management.base import JsonCommand
from endpoints.services import run_folders


class Command(JsonCommand):
    help = "Write a run with its model into DIR/<experiment>/runs/<id>, for import_runs elsewhere."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("run_id", help="The 32 digits of the run's id.")
        parser.add_argument("directory", type=Path)

    def run(self, **options: Any) -> Mapping[str, Any]:
        result = run_folders.export_run(options["run_id"], options["directory"])
        return {
            "run_id": options["run_id"],
            "path": str(result.path),
            "exported": result.outcome == "exported",
        }

    def present(self, facts: Mapping[str, Any]) -> str:
        if facts["exported"]:
            return f"Written to {facts['path']}."
        return f"{facts['path']} holds the same run already."

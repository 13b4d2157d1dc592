"""`manage.py import_runs`: take runs that were tracked as folders into the registry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from endpoints.management.base import JsonCommand, ensure_prepared
from endpoints.services import run_folders
from endpoints.services.run_folders import ImportResult

OUTCOMES = ("imported", "unchanged", "skipped", "changed", "broken")


class Command(JsonCommand):
    help = "Import the runs below a folder. Repeating it changes nothing; no run is overwritten."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("directory", type=Path, help="What start_run was given as root.")
        parser.add_argument(
            "--experiment", default="", help="Where to put all of them. Default: as each run says."
        )

    def run(self, **options: Any) -> Mapping[str, Any]:
        ensure_prepared(self.stderr)
        facts: dict[str, Any] = {"directory": str(options["directory"])}
        facts.update({outcome: [] for outcome in OUTCOMES})
        imports = run_folders.import_all(options["directory"], experiment=options["experiment"])
        for result in imports:
            facts[result.outcome].append(said(result))
        return facts

    def present(self, facts: Mapping[str, Any]) -> str:
        counted = ", ".join(f"{len(facts[outcome])} {outcome}" for outcome in OUTCOMES)
        notes = [
            f"  {outcome} {entry['path']}: {entry['reason']}"
            for outcome in OUTCOMES
            for entry in facts[outcome]
            if entry["reason"]
        ]
        return "\n".join([f"Runs below {facts['directory']}: {counted}.", *notes])

    def print_facts(self, facts: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        super().print_facts(facts, options)
        unresolved = len(facts["changed"]) + len(facts["broken"])
        if unresolved:
            raise CommandError(
                f"{unresolved} of the runs are not in the registry as they lie there."
            )


def said(result: ImportResult) -> dict[str, str]:
    return {"run_id": result.run_id, "path": str(result.path), "reason": result.reason}

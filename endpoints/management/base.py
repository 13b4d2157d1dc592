"""What all commands share: `--json` prints one JSON object on standard output, all else goes to standard error."""

from __future__ import annotations

import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from django.core.management import call_command
from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    OutputWrapper,
)

from endpoints.errors import DomainError
from endpoints.services import installation
from mlcore.errors import CellError, MlcoreError


class JsonCommand(BaseCommand, ABC):
    """A subclass implements `run` and returns its facts, and `present` to say them to a person."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    @abstractmethod
    def run(self, **options: Any) -> Mapping[str, Any]:
        """Do the work and return what there is to tell."""

    @abstractmethod
    def present(self, facts: Mapping[str, Any]) -> str:
        """Say the facts to a person."""

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            facts = self.run(**options)
        except (DomainError, MlcoreError) as error:
            self._fail(error, as_json=options["json"])
        self.print_facts(facts, options)

    def print_facts(self, facts: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        self.stdout.write(json.dumps(facts) if options["json"] else self.present(facts))

    def say(self, text: str) -> None:
        self.stderr.write(self.style.HTTP_INFO(text) if sys.stderr.isatty() else text)

    def _fail(self, error: DomainError | MlcoreError, *, as_json: bool) -> None:
        cells: tuple[CellError, ...] = getattr(error, "cells", ())
        if as_json:
            problems = [{"line": c.row, "column": c.column, "message": c.message} for c in cells]
            self.stdout.write(
                json.dumps({"error": str(error), "code": error.code, "errors": problems})
            )
        # Of a single cell the message itself says it all.
        places = [f"  {place(cell)}" for cell in cells] if len(cells) > 1 else []
        raise CommandError("\n".join([str(error), *places]))


def ensure_prepared(stderr: OutputWrapper) -> None:
    """Prepare an empty database; leave one that is merely behind to the operator's decision."""
    if installation.is_empty():
        call_command("prepare", stdout=stderr)
    elif installation.pending_migrations():
        raise CommandError("The database is behind the code: run `manage.py prepare`.")


def place(cell: CellError) -> str:
    """Return "line 7, column Area: ..." with the parts that are known."""
    parts = [f"line {cell.row}"] if cell.row is not None else []
    parts += [f"column {cell.column}"] if cell.column else []
    return f"{', '.join(parts)}: {cell.message}" if parts else cell.message

"""`manage.py score`: score files of any size with a version, piece by piece, here or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from django.core.management.base import CommandParser

from endpoints.errors import NotFound
from endpoints.management.base import JsonCommand, ensure_prepared
from endpoints.management.engines import add_engine_arguments, engine_from
from endpoints.models import AlgorithmVersion
from endpoints.services import access, snapshots
from endpoints.services.access import Caller, Need
from mlcore.classifier import Classifier

SHELL = Caller(system="command line")


class Command(JsonCommand):
    help = (
        "Score CSV or Parquet files of any size: every column untouched, with the answers behind."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add(
            "--data",
            required=True,
            action="append",
            help="A file, a folder, a pattern such as 'parts-*.csv' or an address such as s3://…; may be "
            "given several times.",
        )
        add("--endpoint", required=True, metavar="SLUG")
        add("--version", type=int, dest="number", help="Default: the one in production.")
        add(
            "--out",
            required=True,
            help="A file (.csv, .parquet) or a folder, also at an address such as s3://…, which takes a part for "
            "every piece. Called again after a crash, it goes on with the pieces that are not done.",
        )
        add_engine_arguments(parser)

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        """Django's own --version, which tells that of Django, would take the name."""
        return super().create_parser(*args, conflict_handler="resolve", **options)

    def run(self, **options: Any) -> Mapping[str, Any]:
        from endpoints.services.large.places import is_remote
        from endpoints.services.large.scoring import LargeScoring, score

        ensure_prepared(self.stderr)
        version = version_of(options["endpoint"], options["number"])
        job = LargeScoring(
            files=options["data"],
            out=options["out"] if is_remote(options["out"]) else Path(options["out"]).absolute(),
            classifier=classifier_of(version),
            version=version.number,
            sha256=version.artifact_sha256,
        )
        started = perf_counter()
        scored = score(job, engine=engine_from(options))
        return {
            "endpoint": options["endpoint"],
            "version": version.number,
            "out": str(scored.out),
            "parts": len(scored.parts),
            "parts_found_done": scored.skipped,
            "rows": scored.rows,
            "rows_without_answer": scored.bad,
            "seconds": round(perf_counter() - started, 3),
        }

    def present(self, facts: Mapping[str, Any]) -> str:
        bad = facts["rows_without_answer"]
        done = facts["parts_found_done"]
        return "\n".join(
            [
                f"{facts['rows']:,} rows scored by v{facts['version']} of “{facts['endpoint']}” in "
                f"{facts['seconds']:.1f} s: {facts['out']}",
                *([f"  {done} of {facts['parts']} parts were there already"] if done else []),
                *([f"  {bad:,} rows have no answer; the errors say why"] if bad else []),
            ]
        )


def version_of(slug: str, number: int | None) -> AlgorithmVersion:
    endpoint = access.get_endpoint(caller=SHELL, slug=slug, need=Need.PREDICT)
    versions = endpoint.versions.select_related("endpoint")
    chosen = versions.in_production() if number is None else versions.filter(number=number)
    found = chosen.first()
    if found is None:
        what = "no version in production" if number is None else f"no version {number}"
        raise NotFound(f"“{slug}” has {what}.")
    return found


def classifier_of(version: AlgorithmVersion) -> Classifier:
    """The version's classifier by itself, which fills missing cells if the endpoint does."""
    return snapshots.filling(replace(snapshots.load(version)), version.endpoint.missing_values)

"""An endpoint that tells three classes of grains apart, for what two classes cannot show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from endpoints.models import AlgorithmVersion, Analysis, Endpoint, Run, Status
from endpoints.services.training import TrainingJob
from mlcore.table import Table
from mlcore.training import TrainingSpec
from tests import cast

CLASSES = ("Besni", "Kecimen", "Rumi")
ECCENTRICITY = 3


def three_classes(names: tuple[str, ...] = CLASSES) -> Table:
    """The synthetic grains; the round ones are of a third class."""
    table = cast.raisin_rows()
    besni, kecimen, rumi = names
    rows = tuple(
        (*row[:-1], rumi if float(row[ECCENTRICITY]) < 0.75 else _renamed(row[-1], besni, kecimen))
        for row in table.rows
    )
    return replace(table, rows=rows, name="grains", sha256="3" * 64)


def _renamed(label: str, besni: str, kecimen: str) -> str:
    return besni if label == "Besni" else kecimen


_kept: dict[tuple[Table, TrainingSpec], cast.Kept] = {}


def run(table: Table | None = None, **spec: Any) -> Run:
    """Return a finished run with its analysis; each training is done once."""
    table, recipe = table or three_classes(), TrainingSpec(target="Class", **spec)
    if (table, recipe) not in _kept:
        job = TrainingJob(table=table, spec=recipe, experiment="grains", actor=cast.SYSTEM)
        _kept[table, recipe] = cast.keep(job)
    kept = _kept[table, recipe]
    made = cast.again(kept, experiment="grains")
    Analysis.objects.create(run=made, report=kept.analysis)
    return made


def version(
    endpoint: Endpoint, *, status: str = Status.PRODUCTION, **facts: Any
) -> AlgorithmVersion:
    return cast.registered_version(endpoint, status=status, run=run(**facts))


def endpoint() -> Endpoint:
    """The endpoint `grains`, with v1 in production."""
    made = cast.an_endpoint("grains")
    version(made)
    return made

"""An endpoint whose rows hold a category and may lack a number, which the grains of the data set never do."""

from __future__ import annotations

from dataclasses import replace

from endpoints.models import Endpoint, Run, Status
from endpoints.services.training import TrainingJob, run_training
from mlcore.table import Table
from mlcore.training import TrainingSpec
from tests import cast

ROW: dict[str, float | str] = {"Area": 87_524.0, "colour": "red", "Perimeter": 1_184.04}
COLUMNS = ("Area", "Extent", "Perimeter", "Class")


def table() -> Table:
    """The synthetic grains with a colour for their extent, every tenth without its area."""
    grains = cast.raisin_rows()
    places = [grains.header.index(name) for name in COLUMNS]
    rows = []
    for number, row in enumerate(grains.rows):
        area, extent, perimeter, label = (row[place] for place in places)
        colour = "dark" if float(extent) > 0.7 else "red"
        rows.append(("" if number % 10 == 0 else area, colour, perimeter, label))
    header = tuple(ROW) + ("Class",)
    return replace(grains, header=header, rows=tuple(rows), name="berries", sha256="b" * 64)


def run() -> Run:
    spec = TrainingSpec(target="Class", positive="Besni")
    job = TrainingJob(table=table(), spec=spec, experiment="berries", actor=cast.SYSTEM)
    return run_training(job, clock=lambda: cast.THEN).run


def endpoint() -> Endpoint:
    """The endpoint `berries`, with v1 in production."""
    made = cast.an_endpoint("berries")
    cast.registered_version(made, status=Status.PRODUCTION, run=run())
    return made

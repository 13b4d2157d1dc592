"""What the clients ask about beside the demo: an endpoint with texts and gaps, one for keys alone, grains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mlcore.datasets import synthetic_raisin
from tests.live import LiveSite

Row = dict[str, Any]
GRAINS = 50
WHOLE = ("Area", "ConvexArea")
SINGLE = "Extent"
FRUITS: tuple[Row, ...] = (
    {"Weight": 5.25, "Colour": "red"},
    {"Weight": 3.0, "Colour": "green"},
    {"Weight": 9.5, "Colour": "brown"},
)
"""Of the endpoint `orchard`. Training saw gaps in the weights, so one may be missing."""


def grains() -> list[Row]:
    """Rows whose values survive the trip as INT64 and, for one column, as FP32."""
    table = synthetic_raisin()
    rows = [dict(zip(table.header, map(float, row[:-1]), strict=False)) for row in table.rows]
    return [rounded(row) for row in rows[:GRAINS]]


def rounded(row: Row) -> Row:
    whole = {name: round(row[name]) for name in WHOLE}
    return row | whole | {SINGLE: float(np.float32(row[SINGLE]))}


def fruit_table() -> str:
    """Heavy red fruit is ripe; the others are so now and then. Every tenth weight is missing."""
    draws = np.random.default_rng(11)
    lines = ["Weight,Colour,Ripe"]
    for number in range(200):
        weight, colour = draws.uniform(1, 10), draws.choice(["red", "green", "brown"])
        ripe = weight + 4 * (colour == "red") + draws.normal(0, 2) > 7
        cell = "" if number % 10 == 0 else f"{weight:.3f}"
        lines.append(f"{cell},{colour},{'yes' if ripe else 'no'}")
    return "\n".join(lines) + "\n"


def prepare(site: LiveSite) -> str:
    """Make the endpoints `orchard` and `cellar`; return a key that may predict."""
    path: Path = site.home / "fruits.csv"
    path.write_text(fruit_table(), encoding="utf-8")
    done = site.manage("shell", "-c", PREPARE.format(path=str(path)))
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("key:")[2].strip()


PREPARE = """
from django.utils import timezone
from endpoints.models import Run
from endpoints.services import catalog, keys, lifecycle, people
from endpoints.services.access import Caller
from endpoints.services.training import TrainingJob, run_training
from endpoints.services.transitions import Decision
from mlcore import datasets
from mlcore.training import TrainingSpec

actor, now = Caller(system="clients"), timezone.now()
job = TrainingJob(
    table=datasets.read_csv({path!r}),
    spec=TrainingSpec(target="Ripe", positive="yes"),
    experiment="orchard",
    actor=actor,
)
ripe = run_training(job, clock=timezone.now).run
grain = Run.objects.filter(experiment__name="raisin").first()
for slug, run, public in (("orchard", ripe, True), ("cellar", grain, False)):
    endpoint = catalog.create_endpoint(
        slug=slug, name=slug, actor=actor, now=now, public_predictions=public
    )
    version = lifecycle.register(run=run, endpoint=endpoint, actor=actor, now=now)
    decision = Decision(actor=actor, now=timezone.now(), reason="for the clients")
    lifecycle.stage(version=version, decision=decision)
    lifecycle.promote(version=version, decision=decision)
facts = {{"scopes": ["predict"], "endpoint": None, "user": people.first_admin()}}
print("key:", keys.create(name="clients", now=timezone.now(), **facts)[1])
"""

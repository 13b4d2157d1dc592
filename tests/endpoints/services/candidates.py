"""Short ways to candidates and to what the gates say of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from endpoints.models import AlgorithmVersion, Endpoint, Run
from endpoints.services import gates
from endpoints.services.access import Caller
from endpoints.services.forests import ForestSpec
from endpoints.services.gates import Gate
from endpoints.services.training import Spec, TrainingJob, run_training
from mlcore.training import TrainingSpec
from tests import cast


def second(endpoint: Endpoint) -> AlgorithmVersion:
    """Return the staged version as a page reads it, with the endpoint's settings of now."""
    return AlgorithmVersion.objects.select_related("endpoint", "run").get(
        endpoint=endpoint, number=2
    )


def judged(
    version: AlgorithmVersion, *, actor: Caller = cast.SYSTEM, now: datetime = cast.THEN
) -> dict[str, Gate]:
    return {gate.code: gate for gate in gates.evaluate(version, actor=actor, now=now)}


def gate(version: AlgorithmVersion, code: str, **facts: Any) -> Gate:
    return judged(version, **facts)[code]


def verdicts(version: AlgorithmVersion, **facts: Any) -> dict[str, str]:
    return {code: str(found.verdict) for code, found in judged(version, **facts).items()}


def forest_run() -> Run:
    return _run(ForestSpec(target="Class", positive="Besni", n_estimators=10))


def analysed_run() -> Run:
    """Return a run with what its training found out; those of the cast keep none of it."""
    return _run(TrainingSpec(target="Class", positive="Besni"))


def _run(spec: Spec) -> Run:
    job = TrainingJob(table=cast.raisin_rows(), spec=spec, experiment="raisin", actor=cast.SYSTEM)
    return run_training(job, clock=lambda: cast.THEN).run

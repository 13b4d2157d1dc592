"""What the log knows of a request's part in an A/B test, as columns of a table; it reads nothing else."""

from __future__ import annotations

from endpoints.models import PredictionRequest
from endpoints.models.prediction import headline

NAMES = ("unit_id", "abtest", "arm", "shadow_prediction", "shadow_probability")
RELATED = "arm__phase"
"""To be fetched with the requests."""


def values(request: PredictionRequest, row: int) -> list[object]:
    """Return a value for each name, None where there is none."""
    arm, said = request.arm, request.shadow
    part = [request.unit, arm.phase.test_id if arm else None, arm.name if arm else None]
    if not said:
        return [*part, None, None]
    return [*part, said["predictions"][row], headline(said["probabilities"][row])]

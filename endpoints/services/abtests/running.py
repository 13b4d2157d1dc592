"""The running test of an endpoint as serving needs it: two arms that can answer, and who belongs to which.

It counts and judges nothing, and knows no requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from endpoints.errors import NoModel
from endpoints.models import ABArm, AlgorithmVersion, Endpoint
from endpoints.models.abcount import ArmName
from endpoints.models.abtest import TestKind, TestState
from mlcore.assignment import BUCKETS, Split
from mlcore.classifier import Classifier


@dataclass(frozen=True)
class Arm:
    """A version in the test's present phase; `pk` is that of its counters."""

    pk: int
    name: str
    version: AlgorithmVersion
    classifier: Classifier


@dataclass(frozen=True)
class RunningTest:
    """In a split test `split` divides the units among the control and the challenger, in this order; in a
    shadow test the control answers all of them."""

    pk: int
    is_shadow: bool
    salt: str
    split: Split
    control: Arm
    challenger: Arm

    def arm_of(self, unit: str) -> Arm:
        """Return the arm that answers a unit: the same in every process, as long as the phase lasts."""
        if self.is_shadow or self.split.arm(self.salt, unit) == 0:
            return self.control
        return self.challenger


class Part(NamedTuple):
    """The part that a request has in a test."""

    test: RunningTest
    arm: Arm


def read(
    endpoint: Endpoint,
    production: AlgorithmVersion,
    model: Callable[[AlgorithmVersion], Classifier],
) -> RunningTest | None:
    """Return the running test of an endpoint, None without one.

    Raises NoModel where an arm cannot answer: then the version in production answers all requests.
    """
    found = _arms(endpoint)
    if not found:
        return None
    arms = {
        arm.name: Arm(arm.pk, arm.name, arm.version, model(arm.version)) for arm in found.values()
    }
    control, challenger = arms[ArmName.CONTROL], arms[ArmName.CHALLENGER]
    _refuse_misfits(control, challenger, production)
    phase = found[ArmName.CONTROL].phase
    share = phase.challenger_share
    return RunningTest(
        pk=phase.test_id,
        is_shadow=phase.test.kind == TestKind.SHADOW,
        salt=phase.test.salt,
        split=Split((BUCKETS - share, share)),
        control=control,
        challenger=challenger,
    )


def _arms(endpoint: Endpoint) -> dict[str, ABArm]:
    """Return both arms of the present phase, by name."""
    present = ABArm.objects.filter(
        phase__test__endpoint=endpoint,
        phase__test__state=TestState.RUNNING,
        phase__ended_at__isnull=True,
    )
    return {arm.name: arm for arm in present.select_related("phase__test", "version__endpoint")}


def _refuse_misfits(control: Arm, challenger: Arm, production: AlgorithmVersion) -> None:
    """Raises NoModel. Nobody can start such a test; a restored database may hold one."""
    if control.version.pk != production.pk:
        raise NoModel(
            f"The test compares with {control.version.label}, and {production.label} is in production."
        )
    if control.classifier.classes != challenger.classifier.classes:
        raise NoModel(
            f"{control.version.label} and {challenger.version.label} answer with different classes."
        )

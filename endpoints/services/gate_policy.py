"""Which failed gates stop a change under the endpoint's policy, and who may overrule them."""

from __future__ import annotations

from collections.abc import Sequence

from endpoints.errors import GateFailed, InvalidRequest
from endpoints.models import Endpoint
from endpoints.models.endpoint import GatePolicy
from endpoints.services import access
from endpoints.services.access import Need
from endpoints.services.gates import Gate
from endpoints.services.gates.reload import SMOKE
from endpoints.services.transitions import MIN_OVERRIDE_REASON, Decision
from mlcore.errors import CellError


def blocking(endpoint: Endpoint, evidence: Sequence[Gate]) -> list[Gate]:
    """Return the gates that stand in the way: a broken artefact under any policy, others by policy."""
    failed = [gate for gate in evidence if gate.verdict == "fail"]
    if endpoint.gate_policy == GatePolicy.BLOCK:
        return failed
    return [gate for gate in failed if gate.code == SMOKE.code]


def can_be_overruled(blocking: Sequence[Gate]) -> bool:
    """Say whether anybody may: a model that does not load answers nothing."""
    return all(gate.code != SMOKE.code for gate in blocking)


def overruled(endpoint: Endpoint, decision: Decision, evidence: Sequence[Gate]) -> list[str]:
    """Return the failed gates that the decision overrules; GateFailed or InvalidRequest if it may not."""
    failed = blocking(endpoint, evidence)
    if not failed:
        return []
    if not (decision.override and can_be_overruled(failed)):
        raise refusal(failed)
    access.require(decision.actor, Need.OVERRIDE, endpoint)
    if len(decision.reason.strip()) < MIN_OVERRIDE_REASON:
        raise InvalidRequest(
            f"To override a gate, give a reason of at least {MIN_OVERRIDE_REASON} characters."
        )
    return [gate.code for gate in failed]


def refusal(failed: Sequence[Gate]) -> GateFailed:
    """Return the error that names every gate, one by one for a program."""
    cells = [CellError(code=gate.code, message=gate.message, value=gate.value) for gate in failed]
    return GateFailed(" ".join(gate.message for gate in failed), cells=cells)

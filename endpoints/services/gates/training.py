"""What the training itself says of the candidate."""

from __future__ import annotations

from endpoints.services.gates.case import Case
from endpoints.services.gates.gate import Check, Gate

CONVERGENCE = Check("convergence", "Solver converged")


def converged(case: Case) -> Gate:
    if case.version.converged:
        return CONVERGENCE.gate("pass", "The weights are at the optimum.")
    message = case.version.run.message
    return CONVERGENCE.gate("warn", f"Its weights and explanations are not final: {message}.")

"""Names and lengths that services and pages share; it must not know how training goes, nor load it.

Whoever only shows or receives runs reads them here, so that the serving process has no training code.
"""

from __future__ import annotations

ARCHIVED = "archived"

DEMO = "demo"
"""Who labelled the predictions of the demo."""

LONGEST_NAME = 120
LONGEST_CLASS = 200
LONGEST_NOTE = 10_000
LONGEST_REASON = 2_000
SOLVER_NAMES = {
    "newton": "Newton",
    "gd": "Gradient descent",
    "decision_tree": "Decision tree",
    "random_forest": "Random forest",
    "extra_trees": "Extra trees",
}


def stands(status: str) -> str:
    """Say how a version stands, after “is”: “in staging”, “archived”."""
    return status if status == ARCHIVED else f"in {status}"

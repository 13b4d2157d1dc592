"""What a training did that nobody asked for, as its page and the REST API tell it; it reads no files."""

from __future__ import annotations

from endpoints.models import Run
from endpoints.models.dataset import DatasetState
from endpoints.services.datasets.columns import general_warning_of, is_feature
from mlcore.errors import cut

MOST_NAMED = 20


def notes_of(run: Run) -> list[str]:
    """Return the columns that were left out by themselves, with the reason, in one sentence; none where somebody
    named columns, or the file is not read yet.
    """
    dataset, spec = run.dataset, run.spec or {}
    if dataset is None or dataset.state != DatasetState.READY or spec.get("columns"):
        return []
    out = [
        f"“{cut(column['name'])}” ({_why(general_warning_of(column))})"
        for column in dataset.columns
        if column["name"] != spec.get("target") and not is_feature(column)
    ]
    if not out:
        return []
    more = f" and {len(out) - MOST_NAMED:,} more" if len(out) > MOST_NAMED else ""
    return [f"Left out, since no columns were named: {', '.join(out[:MOST_NAMED])}{more}."]


def _why(warning: str) -> str:
    """Return a warning in the middle of a sentence."""
    return warning[:1].lower() + warning[1:].rstrip(".") or "it cannot be learnt from"

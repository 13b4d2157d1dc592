"""Where it is kept how far a training has come, and that nothing of it outlives the training.

Apart from the files of runs, so that no list, download or export of a run can have it. It knows nothing
of what is in these files, and loads nothing that trains.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from django.conf import settings

from endpoints.models import Run
from endpoints.models.run import RunState


def home() -> Path:
    return Path(settings.RAISIN_HOME) / "checkpoints"


def file(run: Run) -> Path:
    return home() / f"{run.pk}.descent"


def forget(run: Run) -> None:
    with suppress(OSError):  # what stays is swept up later
        file(run).unlink(missing_ok=True)


def sweep() -> None:
    """Remove what trainings left that have ended without their worker: it was killed at the very end, or for good."""
    with suppress(OSError):  # where there is no folder nothing is left
        found = {path: path.name.lstrip(".").partition(".")[0] for path in home().iterdir()}
        going_on = Run.objects.filter(
            pk__in=set(found.values()), state__in=(RunState.QUEUED, RunState.RUNNING)
        )
        kept = set(going_on.values_list("pk", flat=True))
        for path, run in found.items():
            if run not in kept:
                path.unlink(missing_ok=True)

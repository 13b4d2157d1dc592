"""The folder under RAISIN_HOME where what came from outside waits until it is kept or thrown away.

It lies beside the runs, so that what is verified moves there in one step. It knows no bundle.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from endpoints.models import Run
from endpoints.models.job import new_id
from mlcore.files import sync

STRAY_AFTER = timedelta(hours=1)


@dataclass(frozen=True)
class Stage:
    """The files of a run to be, which is not yet in the database; `folder` is all that is written.

    The stage itself outlives the publishing of its folder, as the sign that the run may be half.
    """

    run_id: str

    @property
    def path(self) -> Path:
        return home() / self.run_id

    @property
    def folder(self) -> Path:
        return self.path / "run"

    @property
    def target(self) -> Path:
        return Path(settings.RAISIN_HOME) / "runs" / self.run_id

    def publish(self) -> None:
        """Let the files appear where the run will look for them."""
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self.folder.rename(self.target)
        sync(self.target.parent)


def home() -> Path:
    """Return the folder, which is there."""
    folder = Path(settings.RAISIN_HOME) / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def staged(now: datetime) -> Iterator[Stage]:
    """A place for the files of a new run. Whatever fails inside leaves none of them."""
    clear_strays(now)
    stage = Stage(new_id())
    stage.folder.mkdir(parents=True)
    try:
        yield stage
    except BaseException:
        shutil.rmtree(stage.target, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(stage.path, ignore_errors=True)


def clear_strays(now: datetime) -> None:
    """Remove what a killed process left; only of a stage can the run be half, and only if unknown."""
    for path in home().iterdir():
        try:
            age = now.timestamp() - _touched(path)
        except FileNotFoundError:
            continue  # its owner was done with it in this moment
        if age > STRAY_AFTER.total_seconds():
            _remove(path)


def _touched(path: Path) -> float:
    """When something in it was last written: a large file may come in for more than an hour."""
    return max(member.stat().st_mtime for member in (path, *path.rglob("*")))


def _remove(path: Path) -> None:
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    stage = Stage(path.name)
    if not Run.objects.filter(pk=stage.run_id).exists():
        shutil.rmtree(stage.target, ignore_errors=True)
    shutil.rmtree(path, ignore_errors=True)

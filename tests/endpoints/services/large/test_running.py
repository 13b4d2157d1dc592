"""What a run says of a training by pieces that came to nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from endpoints.errors import DomainError, InvalidData
from endpoints.models import Run
from endpoints.models.run import RunState
from endpoints.services.large.engines import EngineSpec
from endpoints.services.large.running import LargeJob, run_training
from endpoints.services.large.training import DataSource
from mlcore.alive import Alive, nothing
from tests import cast
from tests.endpoints.services.large.files import SPEC, forest, write_parts

pytestmark = pytest.mark.django_db


def job(folder: Path, content: str = "", alive: Alive = nothing) -> LargeJob:
    files = write_parts(folder / "parts", forest(200), [])
    if content:
        files[0].write_text(content)
    return LargeJob(
        data=DataSource(files=files),
        spec=SPEC,
        engine=EngineSpec("blocks", folder / "scratch", alive=alive),
        experiment="forest",
        actor=cast.SYSTEM,
    )


def test_a_cluster_without_workers_is_named_by_the_run(tmp_path: Path) -> None:
    def alive() -> None:
        raise DomainError("No Dask worker has answered.")

    with pytest.raises(DomainError):
        run_training(job(tmp_path, alive=alive), clock=lambda: cast.THEN)
    run = Run.objects.get()
    assert (run.state, run.message) == (RunState.FAILED, "No Dask worker has answered.")


def test_a_quote_that_stays_open_is_named_by_the_run(tmp_path: Path) -> None:
    content = 'height,kind\n1,fir\n5" pipe,oak\n' + "2.345678,fir\n" * 90_000
    with pytest.raises(InvalidData, match=r"part-0\.csv, line 3: a quotation mark"):
        run_training(job(tmp_path, content), clock=lambda: cast.THEN)
    run = Run.objects.get()
    assert run.state == RunState.FAILED
    assert run.message.startswith('part-0.csv, line 3: a quotation mark (") is opened')

"""The same work on a Dask cluster of two processes: the same bits, also when a worker is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from endpoints.services.large import engines
from endpoints.services.large.engines import WORKER_SETTINGS, EngineSpec, started
from endpoints.services.large.scoring import LargeScoring, score
from endpoints.services.large.training import DataSource, TrainingResult, train
from mlcore.errors import DataError
from mlcore.history import Iteration
from tests.endpoints.services.large.files import (
    SPEC,
    forest,
    here,
    theta_of,
    trained,
    write_parts,
)

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",
        env=WORKER_SETTINGS,
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dask")


@pytest.fixture(scope="module")
def files(folder: Path) -> list[Path]:
    return write_parts(folder / "parts", forest(), [1000, 1001])


@pytest.fixture(scope="module")
def alone(folder: Path, files: list[Path]) -> TrainingResult:
    return trained(files, folder)


@pytest.fixture
def engine(cluster: Any, folder: Path) -> EngineSpec:
    return EngineSpec("dask", folder / "scratch", cluster.scheduler_address)


def test_two_workers_find_the_same_bits(
    engine: EngineSpec, files: list[Path], alone: TrainingResult
) -> None:
    found = train(SPEC, DataSource(files=files, piece_bytes=20_000), engine=engine)
    assert theta_of(found) == theta_of(alone)
    assert found.holdout.rows == alone.holdout.rows
    assert found.dataset_sha256 == alone.dataset_sha256


def _thrice(number: int) -> int:
    return 3 * number


def _added(part: int, number: int) -> int:
    return part + number


def test_answers_about_kept_parts_come_in_order(
    engine: EngineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "PARTS_A_TASK", 3)
    numbers = list(range(20))
    with started(engine) as cluster:
        kept = cluster.keep(_thrice, numbers)
        assert list(cluster.map(_added, kept, numbers)) == [4 * number for number in numbers]
        again = cluster.keep(_added, kept, numbers)
        assert list(cluster.map(_thrice, again)) == [12 * number for number in numbers]
        assert list(cluster.map(_thrice, [])) == list(cluster.map(_thrice, again[:0])) == []
        assert list(cluster.map(_thrice, [*again[3:], again[0]]))[-2:] == [12 * 19, 0]


def test_a_pass_over_kept_parts_sends_few_tasks(
    engine: EngineSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started(engine) as cluster:
        parts = 5 * engines.PARTS_A_TASK
        kept = cluster.keep(_thrice, list(range(parts)))
        send, sent = cluster.client.map, []

        def counted(*arguments: Any, **settings: Any) -> Any:
            tasks = send(*arguments, **settings)
            sent.append(len(tasks))
            return tasks

        monkeypatch.setattr(cluster.client, "map", counted)
        assert cluster.map(_thrice, kept)[-1] == 9 * (parts - 1)
    # Each of two workers may have one task that is not full.
    assert len(sent) == 1
    assert sent[0] <= parts // engines.PARTS_A_TASK + 2


def test_a_worker_killed_in_the_middle_changes_no_bit(
    cluster: Any, engine: EngineSpec, files: list[Path], alone: TrainingResult
) -> None:
    victim = next(iter(cluster.workers.values())).pid
    seen: list[int] = []

    def kill(iteration: Iteration) -> None:
        seen.append(iteration.number)
        if iteration.number == 1:
            os.kill(victim, signal.SIGKILL)

    data = DataSource(files=files, piece_bytes=20_000)
    found = train(SPEC, data, engine=engine, on_iteration=kill)
    assert len(seen) > 1
    assert victim not in {worker.pid for worker in cluster.workers.values()}
    assert theta_of(found) == theta_of(alone)


def test_scores_are_the_same_bytes(
    engine: EngineSpec, folder: Path, files: list[Path], alone: TrainingResult
) -> None:
    written = []
    for place, where in (("here.csv", here(folder)), ("there.csv", engine)):
        job = LargeScoring(
            files=files,
            out=folder / place,
            classifier=alone.classifier,
            version=1,
            sha256="",
            piece_bytes=20_000,
        )
        assert score(job, engine=where).rows == 3000
        written.append((folder / place).read_bytes())
    assert written[0] == written[1]


def test_a_bad_cell_is_named_from_afar(engine: EngineSpec, folder: Path) -> None:
    files = write_parts(folder / "bad", forest(200), [100])
    files[1].write_text(files[1].read_text().replace("needle", "needle,", 1))
    with pytest.raises(DataError, match=r"part-1\.csv, line \d+: 5 cells, but the header has 4"):
        train(SPEC, DataSource(files=files), engine=engine)


def test_a_scheduler_that_does_not_answer_is_named(folder: Path) -> None:
    with (
        pytest.raises(DataError, match=r"no Dask scheduler answers at nonsense://here"),
        started(EngineSpec("dask", folder, "nonsense://here")),
    ):
        pass

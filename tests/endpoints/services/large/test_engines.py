"""Which engine a job gets, what it leaves behind, and how it is told to end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from endpoints.errors import DomainError, InvalidRequest
from endpoints.services.large import engines
from endpoints.services.large.engines import Blocks, Dask, EngineSpec, started
from endpoints.services.large.settings import chosen
from endpoints.services.large.training import DataSource, train
from mlcore.distributed import RowsPart
from tests.endpoints.services.large.files import SPEC, forest, write_parts


def part_of(n: int) -> RowsPart:
    return RowsPart(np.arange(2.0 * n).reshape(n, 2), np.zeros(n))


def test_this_machine_does_it_where_there_is_no_scheduler(settings: Any) -> None:
    settings.RAISIN_DASK_SCHEDULER = ""
    found = chosen()
    assert (found.name, found.scheduler) == ("blocks", "")
    assert found.folder == Path(settings.RAISIN_HOME) / "scratch"


def test_the_cluster_of_the_settings_does_it_unless_told_otherwise(
    settings: Any,
) -> None:
    settings.RAISIN_DASK_SCHEDULER = "tcp://there:8786"
    assert (chosen().name, chosen().scheduler) == ("dask", "tcp://there:8786")
    assert chosen("blocks").name == "blocks"
    assert chosen("dask", "tcp://here:1").scheduler == "tcp://here:1"


@pytest.mark.parametrize(("name", "scheduler"), [("spark", ""), ("blocks", "tcp://here:1")])
def test_it_refuses(name: str, scheduler: str) -> None:
    with pytest.raises(InvalidRequest):
        chosen(name, scheduler)


def test_kept_parts_lie_in_files_and_come_back_mapped(tmp_path: Path) -> None:
    engine = Blocks(tmp_path)
    (handle,) = engine.keep(part_of, [3])
    assert handle.part.X.size == 0
    ((kind, total),) = engine.map(lambda part: (type(part.X), part.X.sum()), [handle])
    assert (kind, total) == (np.memmap, 15.0)
    engine.drop([handle])
    assert list(tmp_path.iterdir()) == []


def test_a_part_without_rows_is_kept_too(tmp_path: Path) -> None:
    engine = Blocks(tmp_path)
    assert [len(part.X) for part in engine.map(_same, engine.keep(part_of, [0, 2]))] == [0, 2]


def _same(part: RowsPart) -> RowsPart:
    return part


class Cancelled(Exception):
    pass


def test_what_the_sign_of_life_raises_ends_the_training_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    steps = 0

    def alive() -> None:
        nonlocal steps
        steps += 1
        if steps == 12:
            raise Cancelled

    engine = EngineSpec("blocks", tmp_path / "scratch", alive=alive)
    files = write_parts(tmp_path / "parts", forest(500), [100])
    with pytest.raises(Cancelled):
        train(SPEC, DataSource(files=files, piece_bytes=2000), engine=engine)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_an_engine_is_started_for_a_while(tmp_path: Path) -> None:
    with started(EngineSpec("blocks", tmp_path)) as engine:
        assert list(engine.map(_plus, [1, 2], [engine.share(10)] * 2)) == [11, 12]
        assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1
    assert list(tmp_path.iterdir()) == []


def _plus(number: int, shared: int) -> int:
    return number + shared


def test_what_a_killed_process_left_goes_and_what_others_use_stays(tmp_path: Path) -> None:
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "X.npy").write_bytes(b"rows")
    (tmp_path / "left.lock").touch()
    with started(EngineSpec("blocks", tmp_path)) as first:
        assert not (tmp_path / "left").exists()
        with started(EngineSpec("blocks", tmp_path)) as second:
            kept = first.keep(part_of, [1]), second.keep(part_of, [2])
            assert [len(part.X) for (h,) in kept for part in first.map(_same, [h])] == [1, 2]
    assert list(tmp_path.iterdir()) == []


class Cluster:
    """A Dask client as ``Dask`` sees it, whose tasks never end: ``looks`` are the numbers of workers, or
    what is raised, as they are looked for, one each ``seconds``."""

    scheduler = SimpleNamespace(address="tcp://there:8786")

    def __init__(self, looks: Sequence[int | Exception], seconds: float = 20) -> None:
        self.looks, self.seconds, self.now = list(looks), seconds, 1000.0

    def clock(self) -> float:
        return self.now

    def map(self, function: Any, *items: Any, pure: bool) -> list[Any]:
        return list(items[0])

    def wait(self, futures: Any, **how: Any) -> Any:
        self.now += self.seconds
        raise TimeoutError

    def nthreads(self) -> dict[str, int]:
        found = self.looks.pop(0)
        if isinstance(found, Exception):
            raise found
        return {f"tcp://worker:{number}": 1 for number in range(found)}


@pytest.mark.parametrize(
    "looks", [[0, 0, 0], [1, 2, 0, 0, 0], [0, 0, 1, 0, 0, 0], [2, OSError(), 0, OSError()]]
)
def test_a_cluster_that_has_had_no_worker_for_a_minute_is_named(
    looks: Sequence[int | Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, lives = Cluster(looks), []
    monkeypatch.setattr(pytest.importorskip("distributed"), "wait", cluster.wait)
    dask = Dask(cluster, lambda: lives.append(cluster.now), cluster.clock)
    message = r"^No Dask worker has answered at tcp://there:8786 for 60 seconds\.$"
    with pytest.raises(DomainError, match=message):
        list(dask.map(abs, [1, 2]))
    assert (len(lives), cluster.looks) == (len(looks), [])


def test_it_waits_for_workers_as_long_as_there_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster([0, 0, 1] * 50)

    def alive() -> None:
        if not cluster.looks:
            raise Cancelled

    monkeypatch.setattr(pytest.importorskip("distributed"), "wait", cluster.wait)
    with pytest.raises(Cancelled):
        list(Dask(cluster, alive, cluster.clock).map(abs, [1, 2]))


class Quick:
    """A Dask client whose tasks have ended; ``fetched`` are the sizes of what was asked for together."""

    def __init__(self) -> None:
        self.fetched: list[int] = []

    def map(self, function: Any, *items: Any, pure: bool) -> list[Any]:
        return list(map(function, *items))

    def gather(self, futures: list[Any]) -> list[Any]:
        self.fetched.append(len(futures))
        return futures


def test_answers_of_a_cluster_come_in_lots_as_they_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wait(futures: Any, **how: Any) -> Any:
        return SimpleNamespace(not_done=set())

    monkeypatch.setattr(pytest.importorskip("distributed"), "wait", wait)
    monkeypatch.setattr(engines, "AT_ONCE", 2)
    client, lives = Quick(), []
    answers = iter(Dask(client, lambda: lives.append(1)).map(abs, [-1, -2, -3, -4, -5]))
    assert (next(answers), client.fetched) == (1, [2])
    assert (list(answers), client.fetched) == ([2, 3, 4, 5], [2, 2, 1])
    assert len(lives) == 3


def test_kept_parts_are_asked_for_where_they_lie_some_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is moved to another worker for it, and a part that was lost is a lot of its own."""
    monkeypatch.setattr(engines, "PARTS_A_TASK", 2)
    assert engines._lots(["a", "b", "a", "", "a", "b"]) == [[0, 2], [4], [1, 5], [3]]
    assert engines._lots([]) == []

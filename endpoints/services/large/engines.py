"""Where pieces are read and parts are kept: on this machine out of core, or on a Dask cluster.

Both run the same functions over the same pieces, so both give the same bits. Nothing here knows
what the functions do.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from importlib import import_module
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any, Literal, Protocol

import numpy as np

from endpoints.errors import DomainError
from endpoints.services.large import scratch
from mlcore.alive import Alive, nothing
from mlcore.distributed import RowsPart
from mlcore.errors import DataError

EngineName = Literal["blocks", "dask"]

WORKER_SETTINGS = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
"""One thread a worker process: more would only fight over the same processors."""

_SECONDS = 1.0
AT_ONCE = 64
"""Answers that are fetched from a cluster together."""
PARTS_A_TASK = 16
"""Kept parts that one task opens. A pass over one takes a few milliseconds, of which a task of its own costs the
scheduler another; and more of them might not fit into a worker's memory together."""
MOST_IDLE_SECONDS = 60.0
"""That a cluster may be without any worker: one that was killed is started anew in less."""


class Engine(Protocol):
    """``map`` brings answers here in order; ``keep`` leaves them where they are and gives handles, which
    ``map`` and ``keep`` open again as their first items; ``drop`` forgets them. ``share`` gives a handle
    of one value that every item needs."""

    def map(self, function: Callable[..., Any], /, *items: Sequence[Any]) -> Iterable[Any]: ...

    def keep(self, function: Callable[..., Any], /, *items: Sequence[Any]) -> list[Any]: ...

    def drop(self, handles: Sequence[Any]) -> None: ...

    def share(self, value: Any) -> Any: ...


@dataclass(frozen=True)
class _Spilled:
    """A part whose arrays lie in files."""

    part: RowsPart
    folder: Path

    def opened(self) -> RowsPart:
        arrays = {
            path.stem: np.load(path, mmap_mode="r", allow_pickle=False)
            for path in self.folder.iterdir()
        }
        return replace(self.part, **arrays)


class Blocks:
    """One piece after the other; kept parts lie in files under ``folder`` and are mapped into memory."""

    def __init__(self, folder: Path, alive: Alive = nothing) -> None:
        self.folder, self.alive = folder, alive
        self._numbers = count()

    def map(self, function: Callable[..., Any], /, *items: Sequence[Any]) -> Iterator[Any]:
        for arguments in zip(*items, strict=True):
            self.alive()
            yield function(*map(_opened, arguments))

    def keep(self, function: Callable[..., Any], /, *items: Sequence[Any]) -> list[Any]:
        return [self._spill(part) for part in self.map(function, *items)]

    def drop(self, handles: Sequence[Any]) -> None:
        for handle in handles:
            shutil.rmtree(handle.folder)

    def share(self, value: Any) -> Any:
        return value

    def _spill(self, part: RowsPart) -> _Spilled:
        folder = self.folder / str(next(self._numbers))
        folder.mkdir()
        spilled: dict[str, Any] = {}
        for field in fields(RowsPart):
            array = getattr(part, field.name)
            # An empty file cannot be mapped.
            if isinstance(array, np.ndarray) and array.size:
                np.save(folder / f"{field.name}.npy", array, allow_pickle=False)
                # A slice would hold on to the whole.
                spilled[field.name] = np.empty((0, *array.shape[1:]))
        return _Spilled(replace(part, **spilled), folder)


def _opened(item: Any) -> Any:
    return item.opened() if isinstance(item, _Spilled) else item


class Dask:
    """The memory of a cluster's workers; what a lost worker kept is read again from its pieces alone."""

    def __init__(
        self, client: Any, alive: Alive = nothing, clock: Callable[[], float] = monotonic
    ) -> None:
        self.client, self.alive, self.clock = client, alive, clock
        self._distributed = import_module("distributed")

    def map(self, function: Callable[..., Any], /, *items: Sequence[Any]) -> Iterable[Any]:
        if items[0] and isinstance(items[0][0], self._distributed.Future):
            return self._passed(function, items)
        return self._gathered(self.keep(function, *items))

    def _passed(self, function: Callable[..., Any], items: Sequence[Sequence[Any]]) -> list[Any]:
        """The answers about kept parts, asked for where these lie, several by one task."""
        self._wait(list(items[0]))
        lots = _lots(self._places(items[0]))
        columns = [[[column[number] for number in lot] for lot in lots] for column in items]
        tasks = self.client.map(_each, [function] * len(lots), *columns, pure=False)
        answers: dict[int, Any] = {}
        for lot, found in zip(lots, self._gathered(tasks), strict=True):
            answers.update(zip(lot, found, strict=True))
        return [answers[number] for number in range(len(items[0]))]

    def _places(self, parts: Sequence[Any]) -> list[str]:
        """The worker that has each part; "" for one that was lost by now."""
        workers = self.client.who_has(parts)
        return [min(workers.get(part.key, ()), default="") for part in parts]

    def _gathered(self, futures: list[Any]) -> Iterator[Any]:
        """The answers, in lots: what is used already is let go of, here and by the workers."""
        while futures:
            lot, futures = futures[:AT_ONCE], futures[AT_ONCE:]
            self._wait(lot)
            yield from self.client.gather(lot)

    def _wait(self, pending: list[Any]) -> None:
        seen_at = self.clock()
        while pending:
            self.alive()
            try:
                pending = list(
                    self._distributed.wait(
                        pending, timeout=_SECONDS, return_when="ALL_COMPLETED"
                    ).not_done
                )
            except self._distributed.TimeoutError:
                seen_at = self._worker_seen_at(seen_at)

    def _worker_seen_at(self, before: float) -> float:
        """When the cluster last had a worker. DomainError where that is too long ago: Dask itself
        would wait for ever."""
        # While the scheduler itself is away, it names no worker either.
        with suppress(OSError):
            if self.client.nthreads():
                return self.clock()
        if self.clock() - before < MOST_IDLE_SECONDS:
            return before
        raise DomainError(
            f"No Dask worker has answered at {self.client.scheduler.address} "
            f"for {MOST_IDLE_SECONDS:.0f} seconds."
        )

    def keep(self, function: Callable[..., Any], /, *items: Sequence[Any]) -> list[Any]:
        if not items[0]:
            return []
        futures: list[Any] = self.client.map(function, *items, pure=False)
        return futures

    def drop(self, handles: Sequence[Any]) -> None:
        """Nothing to do: a future that nobody holds is released."""

    def share(self, value: Any) -> Any:
        # Not scattered: a worker that is lost would take it along for good.
        return self.client.submit(_same, value, pure=False)


def _lots(places: Sequence[str]) -> list[list[int]]:
    """The numbers of the parts that one task opens: of one place, in order.

    >>> _lots(["a", "b", "a"])
    [[0, 2], [1]]
    """
    by_place: dict[str, list[int]] = {}
    for number, place in enumerate(places):
        by_place.setdefault(place, []).append(number)
    return [
        numbers[start : start + PARTS_A_TASK]
        for numbers in by_place.values()
        for start in range(0, len(numbers), PARTS_A_TASK)
    ]


def _each(function: Callable[..., Any], *items: Sequence[Any]) -> list[Any]:
    return list(map(function, *items))


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class EngineSpec:
    """Which engine. ``folder`` takes what does not fit into memory, and is emptied after; without a
    ``scheduler`` a cluster of this machine's processors is started and stopped."""

    name: EngineName
    folder: Path
    scheduler: str = ""
    alive: Alive = nothing


@contextmanager
def started(spec: EngineSpec) -> Iterator[Engine]:
    if spec.name == "dask":
        with _client(spec.scheduler) as client:
            yield Dask(client, spec.alive)
        return
    with scratch.folder(spec.folder) as own:
        yield Blocks(own, spec.alive)


@contextmanager
def _client(scheduler: str) -> Iterator[Any]:
    try:
        distributed = import_module("distributed")
    except ImportError as error:
        raise DataError(
            "the engine dask needs Dask, which is not installed: pip install dask distributed"
        ) from error
    # Its workers' comings and goings are no news of ours.
    logging.getLogger("distributed").setLevel(logging.WARNING)
    if scheduler:
        try:
            client = distributed.Client(scheduler, timeout="10s")
        except (OSError, ValueError) as error:
            raise DataError(f"no Dask scheduler answers at {scheduler}: {error}") from error
        with client:
            yield client
        return
    with (
        distributed.LocalCluster(
            threads_per_worker=1, processes=True, dashboard_address=":0", env=WORKER_SETTINGS
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client

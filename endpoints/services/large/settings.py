"""Which engine a job gets where nobody chose one; the only part of this package that reads settings."""

from __future__ import annotations

from pathlib import Path
from typing import cast, get_args

from django.conf import settings

from endpoints.errors import InvalidRequest
from endpoints.services.large.engines import EngineName, EngineSpec
from mlcore.alive import Alive, nothing


def chosen(name: str = "", scheduler: str = "", *, alive: Alive = nothing) -> EngineSpec:
    """The engine of that name; without one Dask where there is a scheduler, else this machine."""
    if name not in ("", *get_args(EngineName)):
        raise InvalidRequest(f"There is no engine “{name}”: use blocks or dask.")
    if scheduler and name == "blocks":
        raise InvalidRequest("A scheduler belongs to the engine dask.")
    address = scheduler or settings.RAISIN_DASK_SCHEDULER
    return EngineSpec(
        name=cast(EngineName, name or ("dask" if address else "blocks")),
        folder=Path(settings.RAISIN_HOME) / "scratch",
        scheduler=address,
        alive=alive,
    )

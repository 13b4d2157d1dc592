"""What `train` and `score` share: options that name files and the engine that reads them."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import CommandParser

if TYPE_CHECKING:
    from endpoints.services.large.engines import EngineSpec


def add_engine_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "--engine",
        choices=("blocks", "dask"),
        default="",
        help="Read the files piece by piece: on this machine (blocks) or on a Dask cluster (dask).",
    )
    parser.add_argument(
        "--scheduler",
        default="",
        help="Address of a Dask scheduler, as tcp://host:8786. Default: RAISIN_DASK_SCHEDULER, else a "
        "cluster on this machine.",
    )


def is_large(options: Mapping[str, Any]) -> bool:
    """Whether the files are to be read by pieces: asked for, more than one, or one beyond memory."""
    data: Sequence[str] = options["data"]
    if options["engine"] or options["scheduler"] or len(data) > 1:
        return True
    (only,) = data
    path = Path(only)
    if "://" in only or path.is_dir() or (glob.has_magic(only) and not path.exists()):
        return True
    if not path.is_file():
        return False
    is_parquet = path.suffix.lower() in (".parquet", ".pq")
    return is_parquet or path.stat().st_size > settings.RAISIN_IN_MEMORY_BYTES


def engine_from(options: Mapping[str, Any]) -> EngineSpec:
    from endpoints.services.large.settings import chosen

    name = options["engine"] or ("dask" if options["scheduler"] else "")
    return chosen(name, options["scheduler"])

"""How an uploaded file is read, and its plain form: UTF-8 text with a header, or Parquet as it is.

It holds a block of the file at a time, and refuses what is no table before anything else looks at
it. It knows no models and no schema.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from endpoints.errors import InvalidRequest
from endpoints.services.tables import foreign, headers, parquet_files, plain_text
from mlcore.alive import Alive

Format = Literal["csv", "parquet"]


@dataclass(frozen=True)
class Reading:
    """`columns` are the names in the header, `header_bytes` all that stands before the first row of the plain
    form; `notes` are sentences for whoever sent the file. Parquet has no encoding, delimiter or header."""

    format: Format
    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    header_bytes: bytes = b""
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"header_bytes": self.header_bytes.decode()}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        header = facts["header_bytes"].encode()
        columns, notes = tuple(facts["columns"]), tuple(facts["notes"])
        return cls(**{**facts, "header_bytes": header, "columns": columns, "notes": notes})


def prepare(upload: Path, source: Path, *, name: str, most_bytes: int, alive: Alive) -> Reading:
    """Write the plain form of the upload to `source` and say how it is read; raises InvalidRequest."""
    with upload.open("rb") as file:
        start = file.read(foreign.HEAD)
    if not start:
        raise InvalidRequest(f"The file {name[:80]} is empty.")
    if start.startswith(foreign.PARQUET):
        return _parquet(upload, source, most_bytes)
    text = plain_text.write(upload, source, most_bytes=most_bytes, alive=alive)
    header = headers.read(source)
    notes = [*text.notes, *header.notes]
    return Reading("csv", text.encoding, header.delimiter, header.columns, header.raw, tuple(notes))


def _parquet(upload: Path, source: Path, most_bytes: int) -> Reading:
    columns = parquet_files.columns(upload, most_bytes=most_bytes)
    headers.refuse_names(columns)
    source.unlink(missing_ok=True)
    try:
        os.link(upload, source)
    except OSError:  # a file system without links, or another one
        shutil.copyfile(upload, source)
    return Reading("parquet", "", "", columns)

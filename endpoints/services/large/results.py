"""The place that takes results: one that is free, or that this very job wrote before; never the files it scores.

Beside a file of results lies a hidden stamp, which says whose it is and how large and old it was left; in a
folder, which takes a part for every piece, lies a label.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from endpoints.services.large.folders import (
    Folder,
    LocalFolder,
    RemoteFolder,
    draft_of,
    fill,
    put,
)
from endpoints.services.large.places import FORMATS, Format, Source, is_remote, reached
from mlcore.errors import DataError

LABEL = "job.json"
_WORDS: dict[Format, str] = {"csv": "CSV", "parquet": "Parquet"}


@dataclass(frozen=True)
class Place:
    """On a disk: `out` is one file where its name ends as that of one, else a folder."""

    out: Path

    @property
    def is_file(self) -> bool:
        return self._format is not None

    @property
    def _format(self) -> Format | None:
        return FORMATS.get(self.out.suffix.lower())

    @property
    def parts(self) -> LocalFolder:
        return LocalFolder(self.folder)

    @property
    def folder(self) -> Path:
        return self.out.with_name(f"{self.out.name}.parts") if self.is_file else self.out

    @property
    def errors(self) -> Path:
        return self.out.with_name(f"{self.out.stem}.errors.csv")

    @property
    def stamp(self) -> Path:
        return self.out.with_name(f".{self.out.name}.job.json")

    def refuse_sources(self, sources: Iterable[Source]) -> None:
        """Raises DataError where the results would come over, or between, the files to score."""
        for source in (Path(each.url) for each in sources if not is_remote(each.url)):
            for file in self._files:
                if file.exists() and file.samefile(source):
                    raise DataError(f"{file} is one of the files to score; choose another place")
            folder = self.folder.resolve()
            if any(place.resolve().is_relative_to(folder) for place in (source, source.parent)):
                raise DataError(
                    f"{self.folder} holds a file to score, {source.name}; choose another place"
                )

    def refuse_format(self, source: Source) -> None:
        """Raises DataError where the results are one file whose name is that of the other format."""
        if self._format not in (None, source.format):
            raise DataError(
                f"{source.name} is scored as {_WORDS[source.format]}, and {self.out.name} is the name "
                f"of a {_WORDS[self._format]} file; choose a name that ends in .{source.format}, or a folder"
            )

    def refuse_foreign(self) -> None:
        """Raises DataError for what no job left here; whose it is, `claim` asks once the job has a name."""
        left = self._stamp.get("files", {})
        for file in self._files:
            if os.path.lexists(file) and left.get(file.name) != _look_of(file):
                raise _taken(file)
        if self.folder.exists() and not (self.folder / LABEL).exists() and _is_used(self.folder):
            raise _taken(self.folder)

    def claim(self, job: str, version: int) -> None:
        """Take the place for this job, or find that it is this job's already."""
        for file in self._files:
            if os.path.lexists(file) and self._stamp.get("job") != job:
                raise _taken(file)
        self.folder.mkdir(parents=True, exist_ok=True)
        _label(self.parts, str(self.folder), job, version)

    def note(self, job: str, file: Path, draft: Path) -> None:
        """Write down whose a file is while it is a complete draft: the rename that follows keeps its look."""
        known = self._stamp if self._stamp.get("job") == job else {}
        files = known.get("files", {}) | {file.name: _look_of(draft)}
        with draft_of(self.stamp) as stamp:
            fill(stamp, [json.dumps({"job": job, "files": files}).encode()])

    @property
    def _files(self) -> tuple[Path, ...]:
        return (self.out, self.errors) if self.is_file else ()

    @property
    def _stamp(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.stamp.read_bytes())
        except FileNotFoundError:
            return {}
        return found


@dataclass(frozen=True)
class RemotePlace:
    """A folder at an address, such as s3://bucket/scores: nothing can be joined or renamed there, or kept
    from others while a job writes."""

    url: str
    is_file: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if Path(self.url).suffix.lower() in FORMATS:
            raise DataError(
                f"{self.url}: at an address results are parts; name a folder, without .csv and the like"
            )

    @property
    def parts(self) -> RemoteFolder:
        return RemoteFolder(self.url)

    def refuse_sources(self, sources: Iterable[Source]) -> None:
        with reached(self.url) as (system, path):
            folder = system.unstrip_protocol(path).rstrip("/")
        for source in sources:
            if source.url.startswith(f"{folder}/"):
                raise DataError(
                    f"{self.url} holds a file to score, {source.name}; choose another place"
                )

    def refuse_format(self, source: Source) -> None:
        """A folder takes either."""

    def refuse_foreign(self) -> None:
        if not self.parts.has(LABEL) and self.parts.is_used():
            raise _taken(self.url)

    def claim(self, job: str, version: int) -> None:
        _label(self.parts, self.url, job, version)


def _label(folder: Folder, called: str, job: str, version: int) -> None:
    """Write down whose the folder is, or find that it is this job's already."""
    if not folder.has(LABEL):
        put(folder, LABEL, [json.dumps({"job": job, "version": version}).encode()])
    elif json.loads(folder.read(LABEL))["job"] != job:
        raise DataError(
            f"{called} holds the results of other files, another version, another rule for missing "
            "cells or another size of the pieces; choose another folder, or delete it"
        )


def _look_of(file: Path) -> list[int]:
    seen = file.lstat()
    return [seen.st_size, seen.st_mtime_ns]


def _is_used(folder: Path) -> bool:
    """Drafts of a label do not count: the process was killed before it could take the folder."""
    return not folder.is_dir() or any(not file.name.startswith(".") for file in folder.iterdir())


def _taken(place: Path | str) -> DataError:
    return DataError(
        f"{place} is there already, and is not what this job wrote before; choose another place, or delete it"
    )

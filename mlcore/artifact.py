"""Model bundles on disk: written in one step, verified before every use; knows no registry.

A bundle is a directory of three files:

* model.json   everything a person may want to read, as canonical JSON, with the hash of the arrays
* weights.npz  weights, intercept, means and scales as float64; the same arrays, the same bytes
* SHA256SUMS   for ``sha256sum -c``

The SHA-256 of the bundle is that of model.json. Nothing is ever unpickled, and what is not
exactly as ``save`` writes it is refused with an ArtifactError.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlcore.bundle import decode, encode
from mlcore.canonical import parse_json
from mlcore.canonical import sha256 as sha256_of
from mlcore.classifier import Classifier
from mlcore.errors import ArtifactError, SchemaError
from mlcore.training import TrainingResult

LARGEST_FILE = 64 * 2**20
TOLERANCE = 1e-12
"""How far a probe's probability may be from the stored one: other processors round otherwise."""

_FILES = ("model.json", "weights.npz", "SHA256SUMS")


@dataclass(frozen=True)
class SmokeReport:
    """How many probe rows were scored, and the largest difference from the stored answers."""

    rows: int
    largest_difference: float


def save(result: TrainingResult, directory: Path) -> str:
    """Write the bundle and return its SHA-256.

    1. write and sync the files in a temporary sibling directory
    2. rename it: readers see all of the bundle or nothing
    3. sync the parent, so that the name survives a power cut

    An identical bundle that is already there is fine; another one is an ArtifactError.
    """
    model, weights = encode(result)
    files = {"model.json": model, "weights.npz": weights, "SHA256SUMS": _sums(model, weights)}
    if not directory.exists():
        _write(files, directory)
    for name, content in files.items():
        if _read(directory, name) != content:
            raise ArtifactError(f"{directory.name} already holds another bundle; choose a new name")
    return sha256_of(model)


def load(directory: Path, *, sha256: str | None = None) -> Classifier:
    """The classifier of a verified bundle; ArtifactError for anything but an intact one.

    ``sha256`` is the hash that ``save`` returned: with it, a bundle that was replaced as a whole
    is found too.
    """
    return _open(directory, sha256)[1]


def describe(directory: Path, *, sha256: str | None = None) -> dict[str, Any]:
    """The content of model.json, verified as in ``load``."""
    return _open(directory, sha256)[0]


def smoke_test(directory: Path, *, sha256: str | None = None) -> SmokeReport:
    """Load the bundle, score its probe rows, and compare with the answers stored at training.

    The probes are mixed from the profile and hold no training row. ArtifactError when an answer
    differs by more than 1e-12.
    """
    document, classifier = _open(directory, sha256)
    try:
        rows, stored = document["probes"]["rows"], document["probes"]["probabilities"]
        pairs = zip(classifier.score(rows).probabilities.tolist(), stored, strict=True)
        largest = max(abs(found - expected) for found, expected in pairs)
    except (KeyError, TypeError, ValueError, SchemaError) as error:
        raise ArtifactError(f"the probe rows of the bundle cannot be scored: {error}") from error
    if not largest <= TOLERANCE:
        raise ArtifactError(f"a probe row scores {largest:.3g} away from its stored probability")
    return SmokeReport(len(rows), largest)


def _open(directory: Path, sha256: str | None) -> tuple[dict[str, Any], Classifier]:
    model, weights, sums = (_read(directory, name) for name in _FILES)
    found = sha256_of(model)
    if sha256 is not None and found != sha256:
        raise ArtifactError(f"the bundle's SHA-256 is {found}, not {sha256}")
    if sums != _sums(model, weights):
        raise ArtifactError("SHA256SUMS does not agree with the files beside it")
    document = parse_json(model)
    if document.get("weights_sha256") != sha256_of(weights):
        raise ArtifactError("weights.npz is not the file that model.json was written with")
    return document, decode(document, weights)


def _sums(model: bytes, weights: bytes) -> bytes:
    return f"{sha256_of(model)}  model.json\n{sha256_of(weights)}  weights.npz\n".encode()


def _read(directory: Path, name: str) -> bytes:
    """A regular file of at most 64 MiB; links are not followed, pipes are not waited for."""
    path = directory / name
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_FILE:
                raise ArtifactError(f"{name} is not a regular file of at most 64 MiB")
            return file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ArtifactError(f"cannot read {name} of the bundle: {error.strerror}") from error


def _write(files: Mapping[str, bytes], directory: Path) -> None:
    try:
        _write_or_lose_the_race(files, directory)
    except OSError as error:
        # Somebody who was faster is no failure: save() compares what they wrote.
        if not directory.exists():
            raise ArtifactError(f"cannot write the bundle: {error.strerror}") from error


def _write_or_lose_the_race(files: Mapping[str, bytes], directory: Path) -> None:
    # Only the writer pays for these imports; a serving process just reads.
    from shutil import rmtree
    from tempfile import mkdtemp

    directory.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        temporary.chmod(0o755)
        for name, content in files.items():
            with (temporary / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        _sync(temporary)
        temporary.rename(directory)
        _sync(directory.parent)
    finally:
        rmtree(temporary, ignore_errors=True)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Gives out the model of a version as the one file in which it can be handed over."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from endpoints.models import AlgorithmVersion
from endpoints.services import artifacts, uploads
from mlcore import artifact
from mlcore.errors import ArtifactError


def open_file(version: AlgorithmVersion) -> BinaryIO:
    """The verified bundle, opened; its name is gone from the disk, so closing it removes it.

    Raises ArtifactError where the stored files are no longer the registered ones.
    """
    with TemporaryDirectory(prefix="download-", dir=uploads.home()) as folder:
        path = Path(folder) / "bundle.zip"
        sha256 = artifact.copy(artifacts.folder(version), path)
        if sha256 != version.artifact_sha256:
            raise ArtifactError(
                f"the bundle's SHA-256 is {sha256}, not {version.artifact_sha256} as registered"
            )
        return path.open("rb")

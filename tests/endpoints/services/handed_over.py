"""Bundles as strangers hand them over: sound ones, and ones with a changed document."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings

from mlcore import TrainingSpec, artifact, train
from mlcore.canonical import canonical_json, pack_files, sha256
from tests import cast

Change = Callable[[dict[str, Any]], None]


def bundle(**spec: Any) -> bytes:
    """Return the one-file bundle of a training that no endpoint has registered."""
    folder = cast.folder_of(cast.trained_run(**{"lambda_": 0.03} | spec)) / "model"
    return packed(folder)


def three_classes() -> bytes:
    table = cast.raisin_rows()
    rows = tuple((*row[:-1], ("a", "b", "c")[n % 3]) for n, row in enumerate(table.rows))
    changed = type(table)(table.header, rows, table.lines, "0" * 64, "three")
    with TemporaryDirectory() as home:
        artifact.save(train(TrainingSpec(target="Class"), changed), Path(home, "model"))
        return packed(Path(home, "model"))


def packed(folder: Path) -> bytes:
    with TemporaryDirectory() as home:
        artifact.copy(folder, Path(home, "bundle.zip"))
        return Path(home, "bundle.zip").read_bytes()


def changed(content: bytes, change: Change) -> bytes:
    """Return the bundle as somebody would forge it: another document, with fitting checksums."""
    with TemporaryDirectory() as home:
        Path(home, "bundle.zip").write_bytes(content)
        artifact.copy(Path(home, "bundle.zip"), Path(home, "model"))
        files = {
            name: Path(home, "model", name).read_bytes() for name in ("model.json", "weights.npz")
        }
    document = json.loads(files["model.json"])
    change(document)
    files["model.json"] = canonical_json(document)
    sums = "".join(f"{sha256(files[name])}  {name}\n" for name in sorted(files))
    return pack_files({**files, "SHA256SUMS": sums.encode()})


def files_left() -> list[str]:
    """Return whatever lies in the folders of uploads and of runs."""
    home = Path(settings.RAISIN_HOME)
    return sorted(
        str(path.relative_to(home))
        for name in ("uploads", "runs")
        for path in (home / name).glob("*")
    )

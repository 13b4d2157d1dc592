from __future__ import annotations

import subprocess
import sys

import mlcore

HEAVY = ("urllib.request", "http.client", "zipfile", "tempfile", "difflib", "multiprocessing")
FOREIGN = ("django", "rest_framework", "sklearn", "scipy", "pandas", "polars")


def modules_after(statement: str) -> set[str]:
    code = f"{statement}; import sys; print(*sys.modules)"
    return set(subprocess.check_output([sys.executable, "-c", code], text=True).split())


def test_it_works() -> None:
    assert all(hasattr(mlcore, name) for name in mlcore.__all__)
    assert len(mlcore.__all__) == len(set(mlcore.__all__))


def test_it_imports_numpy_and_little_else() -> None:
    added = modules_after("import mlcore") - modules_after("import numpy")
    assert not added & {*HEAVY, *FOREIGN}

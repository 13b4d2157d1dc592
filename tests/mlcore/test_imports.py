from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mlcore

HEAVY = ("urllib.request", "http.client", "zipfile", "tempfile", "difflib", "multiprocessing")
FILES = {"os", "pathlib", "tempfile", "shutil"}
CLOCKS = {"time", "datetime"}
CHANCE = {"random", "secrets", "numpy.random"}
FOREIGN = ("django", "rest_framework", "sklearn", "scipy", "pandas", "polars")


def modules_after(statement: str) -> set[str]:
    code = f"{statement}; import sys; print(*sys.modules)"
    return set(subprocess.check_output([sys.executable, "-c", code], text=True).split())


def test_it_works() -> None:
    assert all(hasattr(mlcore, name) for name in mlcore.__all__)
    assert len(mlcore.__all__) == len(set(mlcore.__all__))


@pytest.mark.parametrize("name", ["mlcore", "mlcore.tracking"])
def test_it_imports_numpy_and_little_else(name: str) -> None:
    added = modules_after(f"import {name}") - modules_after("import numpy")
    assert not added & {*HEAVY, *FOREIGN}


def test_its_main_names_work_where_nothing_else_can_be_imported() -> None:
    blocked = f"import sys; sys.modules.update(dict.fromkeys({FOREIGN}))"
    names = "LogisticModel, TrainingSpec, load, read_csv, save, train"
    loaded = modules_after(f"{blocked}; from mlcore import {names}; import mlcore.tracking")
    assert {"mlcore.model", "mlcore.training", "mlcore.tracking"} <= loaded


def importers_of(names: set[str]) -> set[str]:
    """The modules of mlcore that import one of these, wherever in their text."""
    found = set()
    for path in Path(str(mlcore.__file__)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            imported = (
                {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            )
            if isinstance(node, ast.ImportFrom):
                imported = {str(node.module)}
            if imported & names:
                found.add(path.stem)
    return found


def test_few_modules_touch_files() -> None:
    tracker = {"tracking", "run_folder", "run_reading", "run_metrics"}
    assert importers_of(FILES) == {"files", "artifact", "datasets", "from_sklearn", *tracker}


def test_few_modules_know_the_time_and_none_draws_lots() -> None:
    tracker = {"tracking", "run_folder", "run_reading", "run_metrics"}
    assert importers_of(CLOCKS) == {"history", *tracker}
    assert importers_of(CHANCE) == set()
    sources = Path(str(mlcore.__file__)).parent.glob("*.py")
    assert not [path.stem for path in sources if "np.random" in path.read_text("utf-8")]


def test_the_tracker_is_there_after_a_plain_import() -> None:
    assert mlcore.__getattr__("tracking").start_run
    with pytest.raises(AttributeError, match="no attribute 'traking'"):
        _ = mlcore.traking

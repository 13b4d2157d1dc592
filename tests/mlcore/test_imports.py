from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import mlcore

HEAVY = ("urllib.request", "http.client", "zipfile", "tempfile", "difflib", "multiprocessing")
FILES = {"os", "pathlib", "tempfile", "shutil"}
CLOCKS = {"time", "datetime"}
CHANCE = {"random", "secrets", "numpy.random"}
TRAINING = ("training", "analysis", "solvers", "path", "from_sklearn")
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


def test_what_serves_loads_nothing_that_trains() -> None:
    loaded = modules_after("from mlcore import load, artifact; import mlcore.run_training")
    assert "mlcore.bundle" in loaded
    assert not loaded & {f"mlcore.{name}" for name in TRAINING}


def test_type_checkers_and_the_process_find_a_name_in_the_same_module() -> None:
    (block,) = [
        node
        for node in ast.parse(Path(mlcore.__file__).read_text("utf-8")).body
        if isinstance(node, ast.If)
    ]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    told = {alias.name: node.module for node in imports for alias in node.names}
    assert told == {name: f"mlcore.{module}" for name, module in mlcore._HOMES.items()}
    assert {*told, "model_card"} == {*mlcore.__all__}


def test_no_module_hides_a_name() -> None:
    """Importing a module sets an attribute of its package, whatever name was there."""
    modules = {path.stem for path in Path(mlcore.__file__).parent.glob("*.py")}
    assert modules & {*mlcore._HOMES} == set()
    assert not isinstance(mlcore.model_card, ModuleType)


def test_names_can_be_completed_before_they_are_loaded() -> None:
    assert {*mlcore.__all__} <= {*dir(mlcore)}


@cache
def imports() -> dict[str, set[str]]:
    """What each module of mlcore imports, wherever in its text."""
    found = {}
    for path in Path(str(mlcore.__file__)).parent.glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
        whole = [node for node in nodes if isinstance(node, ast.Import)]
        parts = [node for node in nodes if isinstance(node, ast.ImportFrom)]
        names = {alias.name for node in whole for alias in node.names}
        found[path.stem] = names | {str(node.module) for node in parts}
    return found


def importers_of(names: set[str]) -> set[str]:
    return {module for module, imported in imports().items() if imported & names}


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

"""`pip install .` gives the library alone: it trains, tracks and serves without Django."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, version
from pathlib import Path

import pytest

import raisin_site
from mlcore.tracking import read_run
from mlcore.version import __version__

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = (
    "mlcore",
    "endpoints",
    "dashboard",
    "raisin_site",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)
NEEDED = 77
"""The first setuptools that knows the licence as an SPDX expression."""

ALONE = """
import json, sys
for name in ("django", "rest_framework", "sklearn", "scipy", "pandas"):
    sys.modules[name] = None
import mlcore, mlcore.tracking
from mlcore import LogisticModel, TrainingSpec, artifact, read_csv, train
result = train(TrainingSpec(target="kind"), read_csv(sys.argv[1]))
with mlcore.tracking.start_run(sys.argv[2], experiment="trees") as run:
    run.log_training(result)
row = {"height": 30.0, "leaf": "broad"}
labels = artifact.load(run.path / "artifacts" / "model").score([row]).labels
print(json.dumps({"file": mlcore.__file__, "run": str(run.path), "labels": list(labels)}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the library from a copy of the sources, offline."""
    require_setuptools()
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    leave = shutil.ignore_patterns("__pycache__")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=leave)
        else:
            shutil.copyfile(ROOT / name, source / name)
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "install", "-q", *offline, "--target", target, source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def require_setuptools() -> None:
    try:
        found = version("setuptools")
    except PackageNotFoundError:
        found = "0"
    if int(found.split(".")[0]) < NEEDED:
        if os.environ.get("RAISIN_TEST_STRICT"):
            pytest.fail(f"RAISIN_TEST_STRICT is set and setuptools is {found}")
        pytest.skip(f"needs setuptools {NEEDED} to build; there is {found}")


def test_it_trains_tracks_and_scores_without_django(installed: Path, tmp_path: Path) -> None:
    rows = [
        f"{10 + i % 7}.5,{'needle' if i % 3 else 'broad'},{'fir' if i % 3 else 'oak'}"
        for i in range(60)
    ]
    table = tmp_path / "trees.csv"
    table.write_text("\n".join(["height,leaf,kind", *rows]))
    done = subprocess.run(
        [sys.executable, "-c", ALONE, table, tmp_path / "runs"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert Path(facts["file"]).is_relative_to(installed)
    assert facts["labels"] == ["oak"]
    assert read_run(facts["run"]).state == "finished"


def test_it_installs_mlcore_and_nothing_else(installed: Path) -> None:
    names = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert names == {"mlcore"}
    ours = {path.name for path in (ROOT / "mlcore").iterdir() if path.suffix in (".py", ".typed")}
    assert "py.typed" in ours
    assert ours <= {path.name for path in (installed / "mlcore").iterdir()}


def test_it_needs_numpy_alone(installed: Path) -> None:
    (metadata,) = installed.glob("*.dist-info")
    distribution = Distribution.at(metadata)
    assert distribution.requires is not None
    needed = [line for line in distribution.requires if "extra ==" not in line]
    assert [line.rstrip("0123456789.>=") for line in needed] == ["numpy"]
    assert distribution.metadata.get_all("Provides-Extra") == ["sklearn"]


def test_the_version_stands_in_one_place(installed: Path) -> None:
    (metadata,) = installed.glob("*.dist-info")
    assert Distribution.at(metadata).version == __version__


def test_the_application_and_its_library_are_of_one_version() -> None:
    assert raisin_site.__version__ == __version__

"""The notebooks as they are committed: no outputs, nothing of the machine that they were written on."""

from __future__ import annotations

import re

import nbformat
import pytest

from tests.notebooks.executed import FOLDER, load

NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
ABSOLUTE_PATH = re.compile(
    r"(?<![\w:/.)}])/(?:home|root|tmp|Users|work|usr|var|opt|mnt)/|\b[A-Z]:\\"
)


def test_both_are_there() -> None:
    assert NAMES == ["api_walkthrough", "training"]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_valid_notebook(name: str) -> None:
    nbformat.validate(load(name))


@pytest.mark.parametrize("name", NAMES)
def test_it_carries_no_outputs(name: str) -> None:
    code = [cell for cell in load(name).cells if cell.cell_type == "code"]
    assert code
    assert [cell.id for cell in code if cell.outputs or cell.execution_count is not None] == []


@pytest.mark.parametrize("name", NAMES)
def test_it_names_no_place_of_one_machine(name: str) -> None:
    text = (FOLDER / f"{name}.ipynb").read_text()
    assert ABSOLUTE_PATH.findall(text) == []
    assert set(load(name).metadata) == {"kernelspec", "language_info"}


@pytest.mark.parametrize(
    "text", ['"/home/ann/raisin.csv"', "at /tmp/x", "open('/work/data')", r"C:\\data"]
)
def test_the_search_for_paths_finds(text: str) -> None:
    assert ABSOLUTE_PATH.search(text)


@pytest.mark.parametrize("text", ["http://127.0.0.1:8000/api/v1/raisin", "{root}/var/x", "x / var"])
def test_the_search_for_paths_passes(text: str) -> None:
    assert not ABSOLUTE_PATH.search(text)


@pytest.mark.parametrize("name", NAMES)
def test_one_idea_a_cell(name: str) -> None:
    for cell in load(name).cells:
        limit = 14 if cell.cell_type == "markdown" else 35
        assert len(cell.source.splitlines()) <= limit, cell.id

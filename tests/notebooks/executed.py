"""Runs a notebook from top to bottom in a kernel of this very Python, and reads its variables back."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"


class ThisPython(AsyncKernelManager):
    """Starts the interpreter of the tests, whatever kernels the machine has installed."""

    @property
    def kernel_spec(self) -> KernelSpec:
        arguments = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=[sys.executable, *arguments], language="python")


@dataclass(frozen=True)
class Executed:
    """What came out: the outputs of each cell by its id, and the expressions asked for."""

    outputs: dict[str, list[Any]]
    values: dict[str, Any]

    def texts(self, cell: str) -> str:
        found = [output.get("data", output) for output in self.outputs[cell]]
        return "\n".join(data.get("text/markdown", data.get("text/plain", "")) for data in found)

    def figures(self) -> list[str]:
        return [name for name, outputs in self.outputs.items() if any(map(is_figure, outputs))]

    def streams(self) -> list[str]:
        everything = [output for outputs in self.outputs.values() for output in outputs]
        return [output["text"] for output in everything if output["output_type"] == "stream"]


def is_figure(output: Mapping[str, Any]) -> bool:
    return "image/png" in output.get("data", {})


def load(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def execute(name: str, *, read: str, environment: dict[str, str]) -> Executed:
    """Run every cell, then evaluate the expressions in ``read``, which blanks separate.

    An error in a cell is an error here. What the kernel writes goes to a folder that vanishes.
    """
    notebook = load(name)
    notebook.cells.append(nbformat.v4.new_code_cell(read_back(read.split())))
    with TemporaryDirectory() as scratch:
        folders = {"IPYTHONDIR": f"{scratch}/ipython", "MPLCONFIGDIR": f"{scratch}/mpl"}
        manager = ThisPython(connection_file=f"{scratch}/kernel.json", transport="ipc")
        here = {"metadata": {"path": str(FOLDER)}}
        client = NotebookClient(notebook, km=manager, timeout=300, resources=here)
        variables = kept() | folders | {"RAISIN_HOME": scratch} | environment
        client.execute(env=variables, cleanup_kc=True)  # the kernel ends before its folder does
    *cells, last = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return Executed(
        outputs={cell.id: cell.outputs for cell in cells},
        values=json.loads(last.outputs[0]["text"]),
    )


def read_back(expressions: Iterable[str]) -> str:
    values = ", ".join(f"{text!r}: {text}" for text in expressions)
    return f"import json\nprint(json.dumps({{{values}}}, default=lambda value: value.tolist()))"


def kept() -> dict[str, str]:
    """The environment without what would lead a notebook to another server, or to another backend."""
    leave_out = ("RAISIN_", "DJANGO_", "DATABASE_", "COV_", "MPL", "PYTEST_")
    return {key: value for key, value in os.environ.items() if not key.startswith(leave_out)}

"""`mlserver infer`, which sends a file of requests in merged batches: every line gets the native answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Served
from tests.clients.native import close
from tests.clients.prepared import Row
from tests.clients.running import MLSERVER, require, run

pytestmark = pytest.mark.process

Lines = list[dict[str, Any]]
OUTPUTS = [{"name": "predict"}, {"name": "predict_proba"}]


def as_matrix(row: Row) -> Lines:
    """One tensor for all columns."""
    return [tensor("input-0", [1, len(row)], list(row.values()))]


def as_columns(row: Row) -> Lines:
    return [tensor(name, [1], [value]) for name, value in row.items()]


def tensor(name: str, shape: list[int], data: list[float]) -> dict[str, Any]:
    return {"name": name, "datatype": "FP64", "shape": shape, "data": data}


def requests(rows: list[Row], form: Callable[[Row], Lines] = as_matrix) -> Lines:
    """One request a row."""
    return [
        {"id": f"grain-{number}", "inputs": form(row), "outputs": OUTPUTS}
        for number, row in enumerate(rows)
    ]


def infer(
    served: Served, folder: Path, lines: Lines, *options: str, model: str = "raisin"
) -> Lines:
    """Run the command over the lines; return its answers in their order."""
    require(MLSERVER)
    asked, answered = folder / "asked.jsonl", folder / "answered.jsonl"
    asked.write_text("".join(f"{json.dumps(entry)}\n" for entry in lines), encoding="utf-8")
    command = [str(MLSERVER / "bin" / "mlserver"), "infer", "--workers", "4", "--retries", "1"]
    where = ["--url", served.host, "--model-name", model]
    files = ["--input-data-path", str(asked), "--output-data-path", str(answered)]
    run([*command, *where, *files, *options])
    found = [json.loads(text) for text in answered.read_text(encoding="utf-8").splitlines()]
    return sorted(found, key=lambda answer: answer["parameters"]["batch_index"])


def output(answer: dict[str, Any], name: str) -> list[float]:
    """The values of one output; the client writes them flat."""
    assert "error" not in answer, answer
    (found,) = [entry for entry in answer["outputs"] if entry["name"] == name]
    data: list[float] = found["data"]
    return data


@pytest.mark.parametrize(
    ("form", "options"),
    [
        (as_columns, ["--batch-size", "10"]),
        (as_matrix, ["--batch-size", "1"]),
        (as_matrix, ["--batch-size", "10", "--binary-data"]),
    ],
    ids=["tens of columns", "ones", "tens as bytes"],
)
def test_it_works(
    form: Callable[[Row], Lines], options: list[str], served: Served, tmp_path: Path
) -> None:
    lines, native = requests(served.rows, form), served.native()
    answers = infer(served, tmp_path, lines, *options)
    assert [answer["id"] for answer in answers] == [line["id"] for line in lines]
    assert [output(answer, "predict")[0] for answer in answers] == native.predictions(served.rows)
    positive = [output(answer, "predict_proba")[1] for answer in answers]
    assert positive == close(native.probabilities(served.rows))


def test_a_key_opens_what_is_not_public(served: Served, tmp_path: Path) -> None:
    few = served.rows[:2]
    header = f"Authorization: Bearer {served.key}"
    answers = infer(served, tmp_path, requests(few), "-H", header, model="cellar")
    expected = served.native("cellar").probabilities(few)
    assert [output(answer, "predict_proba")[1] for answer in answers] == close(expected)


def test_it_refuses_in_words(served: Served, tmp_path: Path) -> None:
    answers = infer(served, tmp_path, requests(served.rows[:2]), model="nobody")
    assert len(answers) == 2
    assert [answer for answer in answers if "nobody" not in answer["error"]["msg"]] == []

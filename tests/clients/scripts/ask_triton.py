"""NVIDIA's tritonclient.http, unmodified: every way in which it can put a question over HTTP."""

from __future__ import annotations

from itertools import product
from typing import Any

import tensors
import told
from tritonclient.http import InferenceServerClient
from tritonclient.utils import InferenceServerException

COMPRESSIONS = (None, "gzip", "deflate")
MODEL = "raisin"
Facts = dict[str, Any]


def state(client: InferenceServerClient) -> Facts:
    return {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": client.is_model_ready(MODEL),
        "version_ready": client.is_model_ready(MODEL, "3"),
        "unknown_model_ready": client.is_model_ready("nobody"),
        "unknown_version_ready": client.is_model_ready(MODEL, "99"),
        "server": client.get_server_metadata(),
        "model": client.get_model_metadata(MODEL),
        "version": client.get_model_metadata(MODEL, "3"),
        "index": client.get_model_repository_index(),
    }


def combinations(client: InferenceServerClient, rows: list[tensors.Row]) -> Facts:
    """Tensors as bytes or JSON, there and back, each plain, gzipped and deflated."""
    return {
        f"{put}-{got}-{sent}-{received}": tensors.facts(
            client.infer(
                MODEL,
                tensors.columns(rows, binary=put == "binary"),
                outputs=tensors.both(binary=got == "binary"),
                request_compression_algorithm=sent,
                response_compression_algorithm=received,
            )
        )
        for put, got, sent, received in product(
            ("binary", "json"), ("binary", "json"), COMPRESSIONS, COMPRESSIONS
        )
    }


def shapes(client: InferenceServerClient, rows: list[tensors.Row]) -> Facts:
    asked = {
        "columns": tensors.columns(rows),
        "matrix": tensors.matrix(rows),
        "matrix_json": tensors.matrix(rows, binary=False),
        "matrix_fp32": tensors.matrix(rows, "FP32"),
        "one_row": tensors.columns(rows[:1]),
    }
    return {
        name: tensors.facts(client.infer(MODEL, inputs, outputs=tensors.both()))
        for name, inputs in asked.items()
    }


def choices(client: InferenceServerClient, rows: list[tensors.Row]) -> Facts:
    """What a caller may choose beside the rows: outputs, a version, an id of its own."""
    inputs = tensors.columns(rows)
    asked: Facts = {
        "default": {},
        "classes": {"outputs": tensors.outputs("predict")},
        "probabilities": {"outputs": tensors.outputs("predict_proba")},
        "named": {"request_id": "grain-17"},
        "version_1": {"model_version": "1", "outputs": tensors.both()},
        "version_3": {"model_version": "3", "outputs": tensors.both()},
    }
    return {
        name: tensors.facts(client.infer(MODEL, inputs, **options))
        for name, options in asked.items()
    }


def labels(client: InferenceServerClient, rows: list[tensors.Row]) -> Facts:
    found = {}
    for form in ("binary", "json"):
        wanted = tensors.outputs("label", binary=form == "binary")
        answer = client.infer(MODEL, tensors.columns(rows), outputs=wanted)
        found[form] = [tensors.text(label) for label in answer.as_numpy("label").tolist()]
    return found


def later(client: InferenceServerClient, rows: list[tensors.Row]) -> list[Facts]:
    """Eight questions under way at once, on four connections."""
    inputs, outputs = tensors.columns(rows), tensors.both()
    asked = [client.async_infer(MODEL, inputs, outputs=outputs) for _ in range(8)]
    return [tensors.facts(question.get_result()) for question in asked]


def refusals(client: InferenceServerClient, rows: list[tensors.Row]) -> Facts:
    good = tensors.columns(rows)
    asked: dict[str, tuple[Any, ...]] = {
        "unknown_model": ("nobody", good),
        "unknown_version": (MODEL, good, "99"),
        "a_column_less": (MODEL, good[1:]),
        "a_column_more": (MODEL, [*good, tensors.tensor("Colour", "FP64", [1.0] * 3, binary=True)]),
        "narrow_matrix": (MODEL, tensors.matrix([{"a": 1.0, "b": 2.0}])),
        "text": (MODEL, [tensors.tensor("Area", "BYTES", ["a"] * 3, binary=True), *good[1:]]),
        "nan": (MODEL, tensors.columns([rows[0] | {"Perimeter": float("nan")}])),
        "nan_as_json": (
            MODEL,
            tensors.columns([rows[0] | {"Perimeter": float("nan")}], binary=False),
        ),
    }
    found = {
        name: told.refusal(InferenceServerException, client.infer, *arguments)
        for name, arguments in asked.items()
    }
    found["load"] = told.refusal(InferenceServerException, client.load_model, MODEL)
    found["unknown_metadata"] = told.refusal(
        InferenceServerException, client.get_model_metadata, "nobody"
    )
    # The client unpacks answers, but never refusals.
    found["unknown_model_gzip"] = told.refusal(
        InferenceServerException,
        client.infer,
        "nobody",
        good,
        response_compression_algorithm="gzip",
    )
    return found


def fruits(client: InferenceServerClient, rows: list[tensors.Row]) -> Facts:
    """Texts as BYTES, and NaN for a weight that nobody took."""
    gap = [row | {"Weight": float("nan")} for row in rows]
    asked = {
        "binary": tensors.columns(rows),
        "json": tensors.columns(rows, binary=False),
        "gap": tensors.columns(gap),
        "gap_as_json": tensors.columns(gap, binary=False),
    }
    return {
        name: tensors.facts(client.infer("orchard", inputs, outputs=tensors.both()))
        for name, inputs in asked.items()
    }


def keys(client: InferenceServerClient, rows: list[tensors.Row], key: str) -> Facts:
    headers, inputs = {"Authorization": f"Bearer {key}"}, tensors.columns(rows)
    answer = client.infer("cellar", inputs, outputs=tensors.both(), headers=headers)
    return {
        "index": client.get_model_repository_index(headers=headers),
        "with": tensors.facts(answer),
        "without": told.refusal(InferenceServerException, client.infer, "cellar", inputs),
    }


def main() -> None:
    given = told.given()
    rows = given["rows"][:3]
    with InferenceServerClient(given["host"], concurrency=4) as client:
        told.say(
            {
                "state": state(client),
                "combinations": combinations(client, given["rows"]),
                "shapes": shapes(client, given["rows"]),
                "choices": choices(client, rows),
                "labels": labels(client, rows),
                "later": later(client, rows),
                "refusals": refusals(client, rows),
                "fruits": fruits(client, given["fruits"]),
                "keys": keys(client, rows, given["key"]),
            }
        )


if __name__ == "__main__":
    main()

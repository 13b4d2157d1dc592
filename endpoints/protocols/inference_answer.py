"""An answer as the Open Inference Protocol words it: a JSON head, and bytes behind it where asked.

It knows no HTTP, and of the rows only what was answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import orjson

from endpoints.protocols.binary import write_numbers, write_texts
from endpoints.protocols.inference import OUTPUTS, Inference

if TYPE_CHECKING:
    from endpoints.services.serving import Answer

_DTYPES = {"INT64": "<i8", "FP64": "<f8"}


def write_answer(answer: Answer, inference: Inference) -> tuple[bytes, list[bytes]]:
    """Return the JSON and, for the outputs wanted so, their bytes in the same order."""
    outputs: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    for name, binary in inference.outputs:
        shape, cells = _tensor(answer, name)
        output: dict[str, Any] = {"name": name, "datatype": OUTPUTS[name], "shape": shape}
        if binary:
            blobs.append(_bytes(OUTPUTS[name], cells))
            output["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            output["data"] = cells
        outputs.append(output)
    head = {
        "model_name": answer.endpoint.slug,
        "model_version": str(answer.version.number),
        "id": inference.id or str(answer.request_id),
        "parameters": _parameters(answer),
        "outputs": outputs,
    }
    return orjson.dumps(head), blobs


def _tensor(answer: Answer, name: str) -> tuple[list[int], Sequence[Any]]:
    """Return the shape and the cells of an output, row after row."""
    if name == "predict":
        return [answer.n_rows], answer.predictions
    if name == "label":
        return [answer.n_rows], answer.labels
    shape = [answer.n_rows, len(answer.classifier.classes)]
    return shape, list(chain.from_iterable(answer.probabilities))


def _bytes(datatype: str, cells: Sequence[Any]) -> bytes:
    if datatype == "BYTES":
        return write_texts(cells)
    return write_numbers(cells, _DTYPES[datatype])


def _parameters(answer: Answer) -> dict[str, str | float]:
    """Return what the protocol has no word for. A parameter is a text, a number or a truth value."""
    parameters: dict[str, str | float] = {"request_id": str(answer.request_id)}
    if answer.classifier.threshold is not None:
        parameters["threshold"] = answer.classifier.threshold
    filled = {str(row): names for row, names in enumerate(answer.imputed) if names}
    if filled:
        parameters["imputed"] = orjson.dumps(filled).decode()
    return parameters

"""Requests of the Open Inference Protocol as clients put them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from endpoints.protocols.binary import split
from endpoints.protocols.inference import Inference, read_inference

DTYPES = {
    **{f"UINT{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
    **{f"INT{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"FP{8 * size}": f"<f{size}" for size in (2, 4, 8)},
    "BOOL": "?",
}
MOST_ROWS = 50


def tensor(
    data: Any, shape: Sequence[int], *, name: str = "input-0", datatype: str = "FP64"
) -> dict[str, Any]:
    """Return an input with its data in the JSON."""
    return {"name": name, "shape": list(shape), "datatype": datatype, "data": data}


def raw(
    cells: Sequence[Any], shape: Sequence[int], *, name: str = "input-0", datatype: str = "FP64"
) -> tuple[dict[str, Any], bytes]:
    """Return an input that announces bytes, and those bytes."""
    blob = texts(cells) if datatype == "BYTES" else np.array(cells, DTYPES[datatype]).tobytes()
    declared = {"name": name, "shape": list(shape), "datatype": datatype}
    return declared | {"parameters": {"binary_data_size": len(blob)}}, blob


def texts(cells: Sequence[str]) -> bytes:
    encoded = [cell.encode() for cell in cells]
    return b"".join(len(cell).to_bytes(4, "little") + cell for cell in encoded)


def binary_body(*inputs: tuple[dict[str, Any], bytes], **others: Any) -> tuple[bytes, int]:
    """Return a body with its bytes behind the JSON, and the length of the JSON."""
    head = orjson.dumps({"inputs": [declared for declared, _ in inputs], **others})
    return head + b"".join(blob for _, blob in inputs), len(head)


def read(*inputs: Mapping[str, Any], **others: Any) -> Inference:
    return read_document({"inputs": list(inputs), **others})


def read_document(document: object) -> Inference:
    _, blobs = split(b"", None)
    return read_inference(document, blobs, most_rows=MOST_ROWS)


def read_binary(*inputs: tuple[dict[str, Any], bytes], **others: Any) -> Inference:
    body, json_length = binary_body(*inputs, **others)
    return read_body(body, json_length)


def read_body(body: bytes, json_length: int | str | None) -> Inference:
    head, blobs = split(body, None if json_length is None else str(json_length))
    return read_inference(orjson.loads(head), blobs, most_rows=MOST_ROWS)

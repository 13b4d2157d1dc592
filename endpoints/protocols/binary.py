"""Tensors as bytes behind the JSON of a message, little-endian; knows no models and no HTTP.

The extension `binary_tensor_data`: JSON first, then each tensor's bytes in the order of the tensors.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from endpoints.errors import InvalidRequest
from mlcore.errors import cut, shown

_LENGTH_BYTES = 4  # each text is preceded by its length


class Blobs:
    """What follows the JSON of a request, handed out in order and to the last byte."""

    def __init__(self, rest: memoryview) -> None:
        self._rest = rest

    def take(self, size: object, name: str) -> memoryview:
        if type(size) is not int or size < 0:
            raise InvalidRequest(
                f"Input “{cut(name)}”: binary_data_size is a number of bytes, not {shown(size)}."
            )
        if size > len(self._rest):
            raise InvalidRequest(
                f"Input “{cut(name)}”: binary_data_size is {shown(size)}, "
                f"but only {len(self._rest):,} bytes are left of the body."
            )
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def refuse_rest(self) -> None:
        """Bytes that belong to no tensor: some size is wrong, and with it perhaps every value."""
        if self._rest:
            raise InvalidRequest(
                f"The body ends with {len(self._rest):,} bytes that belong to no input; "
                "binary_data_size of each input says which are whose."
            )


def split(body: bytes, json_length: str | None) -> tuple[bytes, Blobs]:
    """Return the JSON of a body, and its blobs. The length is that of Inference-Header-Content-Length."""
    if json_length is None:
        return body, Blobs(memoryview(b""))
    if not (json_length.isascii() and json_length.isdecimal() and len(json_length) < 16):
        raise InvalidRequest(
            f"Inference-Header-Content-Length is a number of bytes, not {shown(json_length)}."
        )
    end = int(json_length)
    if end > len(body):
        raise InvalidRequest(
            f"Inference-Header-Content-Length is {end:,}, but the body has {len(body):,} bytes."
        )
    return body[:end], Blobs(memoryview(body)[end:])


def read_texts(blob: memoryview, count: int, name: str) -> list[str]:
    """Return the texts of a BYTES tensor: a length in four bytes before each of them."""
    texts: list[str] = []
    start, end = 0, len(blob)
    while start + _LENGTH_BYTES <= end and len(texts) < count:
        size = int.from_bytes(blob[start : start + _LENGTH_BYTES], "little")
        start += _LENGTH_BYTES + size
        if start > end:
            break
        texts.append(_text(bytes(blob[start - size : start]), name))
    if start != end or len(texts) != count:
        raise InvalidRequest(
            f"Input “{cut(name)}”: its {end:,} bytes are not {count:,} texts, "
            "each with its length in four bytes before it."
        )
    return texts


def _text(raw: bytes, name: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"Input “{cut(name)}” holds text that is not UTF-8.") from None


def write_numbers(values: Iterable[Any], dtype: str) -> bytes:
    return np.array(values, dtype=dtype).tobytes()


def write_texts(texts: Iterable[str]) -> bytes:
    encoded = [text.encode() for text in texts]
    return b"".join([len(raw).to_bytes(_LENGTH_BYTES, "little") + raw for raw in encoded])

"""Canonical bytes: JSON and arrays with exactly one spelling each; knows nothing of models.

Reading mirrors writing. What was read is written again and must give the same bytes, so a second
spelling, a smuggled member or a forged header is refused without a rule of its own.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from mlcore.arrays import FloatArray
from mlcore.errors import ArtifactError


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def canonical_json(document: Mapping[str, Any]) -> bytes:
    r"""JSON with sorted keys, one line per top-level key, LF, no NaN.

    >>> canonical_json({"b": [1.5, None], "a": "x"})
    b'{\n"a":"x",\n"b":[1.5,null]\n}\n'
    """
    lines = (f"{compact(key)}:{compact(document[key])}" for key in sorted(document))
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("ascii")


def compact(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def parse_json(data: bytes) -> dict[str, Any]:
    """The document behind canonical bytes; ArtifactError for any other bytes."""
    try:
        document = json.loads(data)
        canonical = isinstance(document, dict) and canonical_json(document) == data
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"model.json is not readable: {error}") from error
    require(canonical, "model.json is not in the canonical form")
    return dict(document)


def pack(arrays: Mapping[str, FloatArray]) -> bytes:
    """The arrays as an npz: stored, sorted, dated 1980, so that equal arrays are equal bytes."""
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            archive.writestr(info, _npy_header(len(arrays[name])) + _raw(arrays[name]))
    return buffer.getvalue()


def _npy_header(length: int) -> bytes:
    buffer = io.BytesIO()
    description = {"descr": "<f8", "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(buffer, description)
    return buffer.getvalue()


def _raw(array: FloatArray) -> bytes:
    return array.astype("<f8").tobytes()


def unpack(data: bytes, lengths: Mapping[str, int]) -> dict[str, FloatArray]:
    """The arrays of these lengths from the bytes that ``pack`` gives for them.

    Members are compared with the header that belongs there and then taken as float64: no
    declared size is trusted and no object can be unpickled.
    """
    expected = len(pack({name: np.zeros(length) for name, length in lengths.items()}))
    require(len(data) == expected, f"weights.npz has {len(data)} bytes instead of {expected}")
    arrays = {name: _member(data, name, length) for name, length in lengths.items()}
    require(pack(arrays) == data, "weights.npz is not in the canonical form")
    return arrays


def _member(data: bytes, name: str, length: int) -> FloatArray:
    import zipfile
    import zlib

    damaged = (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, OSError)
    header = _npy_header(length)
    size = len(header) + 8 * length
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(f"{name}.npy") as member:
            content = member.read(size + 1)
    except (*damaged, NotImplementedError, RuntimeError, OverflowError) as error:
        raise ArtifactError(f"weights.npz is damaged: {error}") from error
    require(
        len(content) == size and content.startswith(header),
        f"weights.npz holds something other than {length} numbers as {name}",
    )
    return np.frombuffer(content, dtype="<f8", offset=len(header)).astype(np.float64)


def require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ArtifactError(otherwise)

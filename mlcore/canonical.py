"""Canonical bytes: JSON and arrays with exactly one spelling each; knows nothing of models.

Reading mirrors writing. What was read is written again and must give the same bytes, so a second
spelling, a smuggled member or a forged header is refused without a rule of its own.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

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


class Form(NamedTuple):
    """The type and shape of an array: ``descr`` is one of ``_DTYPES``, as in an npy header."""

    descr: str
    shape: tuple[int, ...]

    @classmethod
    def of(cls, array: NDArray[Any]) -> Form:
        return cls(array.dtype.newbyteorder("<").str, array.shape)

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * int(self.descr[2:])


_DTYPES = ("<f8", "<i4", "<i8")


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The arrays as an npz: stored, sorted, dated 1980, so that equal arrays are equal bytes.

    Arrays are float64, int32 or int64; ValueError for others.
    """
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            form = Form.of(arrays[name])
            if form.descr not in _DTYPES:
                raise ValueError(f"{name} holds {form.descr}; a bundle holds {', '.join(_DTYPES)}")
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            content = arrays[name].astype(form.descr).tobytes()  # in C order, however it is kept
            archive.writestr(info, _npy_header(form) + content)
    return buffer.getvalue()


def _npy_header(form: Form) -> bytes:
    buffer = io.BytesIO()
    description = {"descr": form.descr, "fortran_order": False, "shape": form.shape}
    np.lib.format.write_array_header_1_0(buffer, description)
    return buffer.getvalue()


def unpack(data: bytes, forms: Mapping[str, Form]) -> dict[str, NDArray[Any]]:
    """The arrays of these forms from the bytes that ``pack`` gives for them.

    Members are compared with the header that belongs there and then taken as they are: no size
    that the file declares is trusted and no object can be unpickled.
    """
    require(all(form.descr in _DTYPES for form in forms.values()), "an array has an unknown type")
    # The forms may come from a stranger too: nothing larger than the file is set up for them.
    large_enough = sum(form.n_bytes for form in forms.values()) <= len(data)
    require(large_enough, f"weights.npz has {len(data)} bytes, too few for what it should hold")
    empty = {name: np.zeros(form.shape, form.descr) for name, form in forms.items()}
    expected = len(pack(empty))
    require(len(data) == expected, f"weights.npz has {len(data)} bytes instead of {expected}")
    arrays = {name: _member(data, name, form) for name, form in forms.items()}
    require(pack(arrays) == data, "weights.npz is not in the canonical form")
    return arrays


def _member(data: bytes, name: str, form: Form) -> NDArray[Any]:
    import zipfile
    import zlib

    damaged = (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, OSError)
    header = _npy_header(form)
    size = len(header) + form.n_bytes
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(f"{name}.npy") as member:
            content = member.read(size + 1)
    except (*damaged, NotImplementedError, RuntimeError, OverflowError) as error:
        raise ArtifactError(f"weights.npz is damaged: {error}") from error
    require(
        len(content) == size and content.startswith(header),
        f"weights.npz holds something other than {' x '.join(map(str, form.shape))} numbers as {name}",
    )
    values = np.frombuffer(content, dtype=form.descr, offset=len(header)).reshape(form.shape)
    return values.astype(values.dtype.newbyteorder("="))


def require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ArtifactError(otherwise)

"""Canonical bytes: JSON, arrays and archives with exactly one spelling each; knows nothing of models.

Reading mirrors writing. What was read is written again and must give the same bytes, so a second
spelling, a smuggled member or a forged header is refused without a rule of its own.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import struct
from collections.abc import Mapping, Sequence
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
_END = struct.Struct("<4s4H2LH")  # the end of a zip: its sixth part is the size of the listing
_LONGEST_LISTING = 2**16


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The arrays as an npz: stored, sorted, dated 1980, so that equal arrays are equal bytes.

    Arrays are float64, int32 or int64; ValueError for others.
    """
    members = {}
    for name, array in arrays.items():
        form = Form.of(array)
        if form.descr not in _DTYPES:
            raise ValueError(f"{name} holds {form.descr}; a bundle holds {', '.join(_DTYPES)}")
        content = array.astype(form.descr).tobytes()  # in C order, however it is kept
        members[f"{name}.npy"] = _npy_header(form) + content
    return pack_files(members)


def pack_files(files: Mapping[str, bytes]) -> bytes:
    """Files as a zip: stored, sorted, dated 1980, so that equal files are equal bytes.

    >>> unpack_files(pack_files({"b": b"2", "a": b"1"}), ("a", "b"), place="x.zip")
    {'a': b'1', 'b': b'2'}
    """
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            archive.writestr(info, files[name])
    return buffer.getvalue()


def unpack_files(data: bytes, names: Sequence[str], *, place: str) -> dict[str, bytes]:
    """The files of these names from the bytes that ``pack_files`` gives for them.

    No path of the archive is followed, and nothing is unpacked that is larger than the archive.
    ArtifactError, which names ``place``, for any other bytes.
    """
    _check_listing(data, place)
    files = {name: _unzipped(data, name, most=len(data), place=place) for name in names}
    require(pack_files(files) == data, f"{place} is not in the canonical form")
    return files


def _check_listing(data: bytes, place: str) -> None:
    """Refuse a zip before its listing is parsed, which takes many times the listing's size to hold."""
    end = data[-_END.size :]
    whole = len(end) == _END.size and end.startswith(b"PK\x05\x06") and end.endswith(b"\0\0")
    require(whole, f"{place} is damaged: it does not end as a zip archive does")
    is_zip64 = data[-_END.size - 20 :].startswith(b"PK\x06\x07")
    short = not is_zip64 and _END.unpack(end)[5] <= _LONGEST_LISTING
    require(short, f"{place} is not in the canonical form")


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
    _check_listing(data, "weights.npz")
    arrays = {name: _member(data, name, form) for name, form in forms.items()}
    require(pack(arrays) == data, "weights.npz is not in the canonical form")
    return arrays


def _member(data: bytes, name: str, form: Form) -> NDArray[Any]:
    header = _npy_header(form)
    size = len(header) + form.n_bytes
    content = _unzipped(data, f"{name}.npy", most=size, place="weights.npz")
    require(
        len(content) == size and content.startswith(header),
        f"weights.npz holds something other than {' x '.join(map(str, form.shape))} numbers as {name}",
    )
    values = np.frombuffer(content, dtype=form.descr, offset=len(header)).reshape(form.shape)
    return values.astype(values.dtype.newbyteorder("="))


def _unzipped(data: bytes, name: str, *, most: int, place: str) -> bytes:
    """A member of a zip: at most one byte more than ``most``, whatever its header declares."""
    import zipfile
    import zlib

    damaged = (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, OSError)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(name) as member:
            return member.read(most + 1)
    except (*damaged, NotImplementedError, RuntimeError, OverflowError) as error:
        raise ArtifactError(f"{place} is damaged: {error}") from error


def require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ArtifactError(otherwise)

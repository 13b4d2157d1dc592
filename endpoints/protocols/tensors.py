"""One input tensor of the Open Inference Protocol, from JSON or bytes; knows no models and no HTTP.

Every length is compared with the shape before anything is set up, so that a shape costs nothing by
being large. A missing value is null in JSON and NaN in FP16, FP32 and FP64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from math import prod
from operator import ne
from types import NoneType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from endpoints.errors import InvalidRequest, TooLarge
from endpoints.protocols.binary import Blobs, read_texts
from mlcore.arrays import FloatArray
from mlcore.errors import MOST_CELLS, CellError, cut, listed, shown

_LARGEST_SIZE = 2**31


@dataclass(frozen=True, slots=True)
class Datatype:
    """What a cell is in JSON, and in bytes; BYTES, which are texts, have no dtype."""

    words: str
    types: frozenset[type]
    dtype: str = ""
    limits: tuple[int, int] | None = None

    def fits(self, cells: list[Any]) -> bool:
        types = set(map(type, cells))  # true is no number here, though Python calls it one
        if not types <= self.types:
            return False
        if self.limits is None:
            return True
        present = [cell for cell in cells if cell is not None] if NoneType in types else cells
        low, high = self.limits
        return not present or (low <= min(present) and max(present) <= high)


def _integer(dtype: str) -> Datatype:
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    words = f"an integer from {low} to {high}"
    return Datatype(words, frozenset({int, NoneType}), dtype, (low, high))


def _float(dtype: str) -> Datatype:
    return Datatype("a number", frozenset({float, int, NoneType}), dtype)


DATATYPES: Mapping[str, Datatype] = {
    "BOOL": Datatype("true or false", frozenset({bool, NoneType}), "?"),
    **{f"UINT{8 * size}": _integer(f"<u{size}") for size in (1, 2, 4, 8)},
    **{f"INT{8 * size}": _integer(f"<i{size}") for size in (1, 2, 4, 8)},
    **{f"FP{8 * size}": _float(f"<f{size}") for size in (2, 4, 8)},
    "BYTES": Datatype("a text", frozenset({str, NoneType})),
}


class Declared(NamedTuple):
    """What an input says of itself before its data."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    @property
    def n_cells(self) -> int:
        return prod(self.shape)

    def wrong(self, problem: str) -> InvalidRequest:
        return InvalidRequest(f"Input “{cut(self.name)}”: {problem}")


class Tensor(NamedTuple):
    """A tensor of one or two dimensions, its cells row after row."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    cells: list[Any] | NDArray[Any]

    @property
    def is_numeric(self) -> bool:
        return self.datatype not in ("BYTES", "BOOL")

    def listed(self) -> list[Any]:
        """The cells as JSON has them, None for a missing one."""
        cells = self.cells if isinstance(self.cells, list) else self.cells.tolist()
        if any(map(ne, cells, cells)):  # NaN alone differs from itself
            return [None if cell != cell else cell for cell in cells]  # noqa: PLR0124
        return cells

    def floats(self) -> FloatArray:
        """The numbers in a float64 array of our own, NaN for a missing one."""
        try:
            return np.array(self.cells, dtype=np.float64)
        except OverflowError:
            problem = f"Input “{cut(self.name)}”: an integer is too large for a float."
            raise InvalidRequest(problem) from None


def read_tensor(given: object, blobs: Blobs, *, most_rows: int) -> Tensor:
    """Read one of the inputs; raises InvalidRequest or, for too many rows, TooLarge."""
    if not isinstance(given, dict):
        raise InvalidRequest("An input is an object with name, datatype, shape and data.")
    declared = _declared(given)
    if declared.shape[0] > most_rows:
        raise TooLarge(
            f"The request holds {declared.shape[0]:,} rows; {most_rows:,} is the most at a time."
        )
    parameters = given.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise declared.wrong(f"parameters is an object, not {shown(parameters)}.")
    if ("data" in given) == ("binary_data_size" in parameters):
        raise declared.wrong("it needs either data or the parameter binary_data_size.")
    if "data" in given:
        return Tensor(*declared, _from_json(given["data"], declared))
    blob = blobs.take(parameters["binary_data_size"], declared.name)
    return Tensor(*declared, _from_bytes(blob, declared))


def _declared(given: dict[str, Any]) -> Declared:
    name, datatype, shape = given.get("name"), given.get("datatype"), given.get("shape")
    if not isinstance(name, str):
        raise InvalidRequest(f"The name of an input is a text, not {shown(name)}.")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        known = listed(DATATYPES)
        raise Declared(name, "", ()).wrong(f"datatype is one of {known}, not {shown(datatype)}.")
    if not isinstance(shape, list) or len(shape) not in (1, 2) or not all(map(_is_size, shape)):
        raise Declared(name, datatype, ()).wrong(
            f"shape is [rows, columns] or [rows], each at least 1, not {shown(shape)}."
        )
    return Declared(name, datatype, tuple(shape))


def _is_size(value: object) -> bool:
    return type(value) is int and 1 <= value <= _LARGEST_SIZE


def _from_json(data: object, declared: Declared) -> list[Any]:
    if declared.datatype == "FP16":
        raise declared.wrong("FP16 is read from bytes alone; send FP32 as JSON.")
    cells = _flat(data, declared)
    if not DATATYPES[declared.datatype].fits(cells):
        raise _misfits(cells, declared)
    return cells


def _flat(data: object, declared: Declared) -> list[Any]:
    """Return the cells in one list; a client may nest them as the shape has it, or not."""
    if isinstance(data, list):
        if len(data) == declared.n_cells and not isinstance(data[0], list):
            return data
        if len(declared.shape) == 2 and _is_nested(data, *declared.shape):
            return list(chain.from_iterable(data))
    raise declared.wrong(
        f"data is no list of {declared.n_cells:,} values, flat or nested, as the shape "
        f"{list(declared.shape)} has it."
    )


def _is_nested(data: list[Any], n_rows: int, width: int) -> bool:
    return len(data) == n_rows and set(map(type, data)) == {list} and set(map(len, data)) == {width}


def _misfits(cells: list[Any], declared: Declared) -> InvalidRequest:
    """Name the cells that are not of the datatype, the first of very many, and not what they hold:
    which values an answer may repeat is for the endpoint to say, and it is not known here."""
    kind, width = DATATYPES[declared.datatype], prod(declared.shape[1:])
    message = f"expected {kind.words} or null"
    errors: list[CellError] = []
    for place, cell in enumerate(cells):
        if not kind.fits([cell]):
            row, column = divmod(place, width)
            name = cut(declared.name) if width == 1 else f"{cut(declared.name)}[{column}]"
            errors.append(CellError("wrong_type", message, row, name))
        if len(errors) == MOST_CELLS:
            break
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return InvalidRequest(f"row {errors[0].row}, {errors[0].column}: {message}{more}", cells=errors)


def _from_bytes(blob: memoryview, declared: Declared) -> list[Any] | NDArray[Any]:
    if declared.datatype == "BYTES":
        return read_texts(blob, declared.n_cells, declared.name)
    dtype = np.dtype(DATATYPES[declared.datatype].dtype)
    if len(blob) != declared.n_cells * dtype.itemsize:
        raise declared.wrong(
            f"binary_data_size is {len(blob):,}, but {declared.datatype} of the shape "
            f"{list(declared.shape)} takes {declared.n_cells * dtype.itemsize:,} bytes."
        )
    if declared.datatype == "BOOL":  # every byte but 0 is true
        truths: list[bool] = (np.frombuffer(blob, dtype=np.uint8) != 0).tolist()
        return truths
    return np.frombuffer(blob, dtype=dtype)

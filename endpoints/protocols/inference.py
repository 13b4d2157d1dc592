"""What an inference request of the Open Inference Protocol asks, as rows and wanted outputs.

It knows no models, no HTTP and no answers: which columns there must be is the schema's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from endpoints.errors import InvalidRequest
from endpoints.protocols.binary import Blobs
from endpoints.protocols.tensors import Tensor, read_tensor
from mlcore.errors import cut, did_you_mean, listed, shown

if TYPE_CHECKING:
    from endpoints.services.scoring import Row, Table
    from mlcore.arrays import FloatArray

OUTPUTS = {"predict": "INT64", "predict_proba": "FP64", "label": "BYTES"}
BY_DEFAULT = ("predict", "predict_proba")
MOST_TENSORS = 1_000
LONGEST_ID = 256
UNSUPPORTED = {
    "classification": "Ask for “label” and “predict_proba” in place of a classification.",
    "shared_memory_region": "There is no shared memory; ask for the output in the answer.",
}


class Wanted(NamedTuple):
    """An output that the answer shall hold, in JSON or behind it."""

    name: str
    binary: bool


@dataclass(frozen=True, slots=True)
class Inference:
    """The rows to score, the outputs to answer with, and the client's own id of the request."""

    table: Table
    outputs: tuple[Wanted, ...]
    id: str | None


def read_inference(document: object, blobs: Blobs, *, most_rows: int) -> Inference:
    """Read a request; raises InvalidRequest or, for too many rows, TooLarge."""
    if not isinstance(document, dict):
        raise InvalidRequest("The request is not a JSON object with the key “inputs”.")
    inputs = document.get("inputs")
    if not isinstance(inputs, list) or not 1 <= len(inputs) <= MOST_TENSORS:
        raise InvalidRequest(
            f"“inputs” is a list of one tensor for all columns, or of one for each (at most "
            f"{MOST_TENSORS:,})."
        )
    tensors = [read_tensor(given, blobs, most_rows=most_rows) for given in inputs]
    blobs.refuse_rest()
    return Inference(_table(tensors), _wanted(document), _id(document.get("id")))


def _table(tensors: Sequence[Tensor]) -> Table:
    """Return rows, a matrix or columns: what scores fastest and says the same."""
    first = tensors[0]
    if len(tensors) == 1 and len(first.shape) == 2:
        return _rows(first)
    _refuse_misfits(tensors)
    if first.shape[0] == 1:  # one row is scored fastest as a row
        return [{tensor.name: tensor.listed()[0] for tensor in tensors}]
    return {
        tensor.name: tensor.floats() if tensor.is_numeric else tensor.listed() for tensor in tensors
    }


def _rows(tensor: Tensor) -> Sequence[Row] | FloatArray:
    n_rows, width = tensor.shape
    if n_rows == 1:
        return [tensor.listed()]
    if tensor.is_numeric:
        return tensor.floats().reshape(tensor.shape)
    cells = tensor.listed()
    return [cells[start : start + width] for start in range(0, len(cells), width)]


def _refuse_misfits(tensors: Sequence[Tensor]) -> None:
    """One tensor a column: a single width, as many rows in each, no name twice."""
    n_rows, names = tensors[0].shape[0], set()
    for tensor in tensors:
        name = cut(tensor.name)
        if tensor.shape[1:] not in ((), (1,)):
            raise InvalidRequest(
                f"Input “{name}” has the shape {list(tensor.shape)}: of several inputs each is one "
                "column, [rows] or [rows, 1]."
            )
        if tensor.shape[0] != n_rows:
            raise InvalidRequest(
                f"Input “{name}” has {tensor.shape[0]:,} rows, “{cut(tensors[0].name)}” {n_rows:,}."
            )
        if tensor.name in names:
            raise InvalidRequest(f"There are two inputs “{name}”.")
        names.add(tensor.name)


def _wanted(document: dict[str, Any]) -> tuple[Wanted, ...]:
    binary = _flag(_parameters(document), "binary_data_output", False)
    asked = document.get("outputs")
    if asked is None or asked == []:
        return tuple([Wanted(name, binary) for name in BY_DEFAULT])
    if not isinstance(asked, list) or len(asked) > len(OUTPUTS):
        raise InvalidRequest(f"“outputs” is a list of some of {listed(OUTPUTS)}.")
    return tuple([_output(output, binary) for output in asked])


def _output(asked: object, binary: bool) -> Wanted:
    if not isinstance(asked, dict):
        raise InvalidRequest(f"An output is an object with the name of one of {listed(OUTPUTS)}.")
    name = asked.get("name")
    if not isinstance(name, str) or name not in OUTPUTS:
        hint = did_you_mean(name, OUTPUTS)
        raise InvalidRequest(
            f"There is no output {shown(name)}{hint}; the outputs are {listed(OUTPUTS)}."
        )
    parameters = _parameters(asked)
    for parameter in UNSUPPORTED.keys() & parameters.keys():
        raise InvalidRequest(UNSUPPORTED[parameter])
    return Wanted(name, _flag(parameters, "binary_data", binary))


def _parameters(owner: dict[str, Any]) -> dict[str, Any]:
    parameters = owner.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise InvalidRequest(f"“parameters” is an object, not {shown(parameters)}.")
    return parameters


def _flag(parameters: dict[str, Any], name: str, otherwise: bool) -> bool:
    value = parameters.get(name, otherwise)
    if not isinstance(value, bool):
        raise InvalidRequest(f"“{name}” is true or false, not {shown(value)}.")
    return value


def _id(given: object) -> str | None:
    if given is None:
        return None
    if not isinstance(given, str) or len(given) > LONGEST_ID:
        raise InvalidRequest(f"“id” is a text of at most {LONGEST_ID} characters.")
    return given or None

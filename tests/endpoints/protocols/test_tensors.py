"""Tensors are read as clients send them, in JSON or bytes, to the last bit; nothing is set up unasked."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from endpoints.errors import InvalidRequest, TooLarge
from tests import pace
from tests.endpoints.protocols.tensor_requests import (
    DTYPES,
    MOST_ROWS,
    raw,
    read,
    read_binary,
    read_body,
    tensor,
    texts,
)

unhurried = settings(deadline=None, database=None)
SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 5))
INTEGERS = sorted(name for name in DTYPES if "INT" in name)
NAN = float("nan")
HUGE = 10**5000  # more digits than Python prints


def rows_in(table: Any) -> list[list[Any]]:
    """The rows of a table as JSON has them, however it holds them."""
    rows = table.tolist() if isinstance(table, np.ndarray) else table
    return [[None if is_missing(cell) else cell for cell in row] for row in rows]


def is_missing(cell: Any) -> bool:
    return cell is None or math.isnan(cell)


def matrices(datatype: str) -> st.SearchStrategy[Any]:
    return SHAPES.flatmap(lambda shape: arrays.arrays(np.dtype(DTYPES[datatype]), shape))


def test_it_works() -> None:
    assert read(tensor([1.5, 2, None, 4], [1, 4])).table == [[1.5, 2, None, 4]]
    many = read(tensor([[1.5, 2], [None, 4]], [2, 2])).table
    assert many.dtype == np.float64
    np.testing.assert_array_equal(many, [[1.5, 2.0], [NAN, 4.0]])


@unhurried
@given(st.sampled_from(sorted(DTYPES)).flatmap(lambda t: st.tuples(st.just(t), matrices(t))))
def test_bytes_are_read_to_the_last_bit(given_: tuple[str, Any]) -> None:
    datatype, X = given_
    table = read_binary(raw(X.ravel(), X.shape, datatype=datatype)).table
    wanted = X.tolist() if datatype == "BOOL" or len(X) == 1 else X.astype(np.float64).tolist()
    assert rows_in(table) == rows_in(wanted)


@unhurried
@given(matrices("FP64"), st.booleans())
def test_json_numbers_are_read_to_the_last_bit(X: Any, nested: bool) -> None:
    X[np.isinf(X)] = NAN
    cells = [[None if math.isnan(cell) else cell for cell in row] for row in X.tolist()]
    data = cells if nested else [cell for row in cells for cell in row]
    assert rows_in(read(tensor(json.loads(json.dumps(data)), X.shape)).table) == cells


@unhurried
@given(st.sampled_from(INTEGERS).flatmap(lambda t: st.tuples(st.just(t), matrices(t))))
def test_json_integers_are_read_as_the_nearest_floats(given_: tuple[str, Any]) -> None:
    datatype, X = given_
    table = read(tensor(X.tolist(), X.shape, datatype=datatype)).table
    assert rows_in(table) == (X.tolist() if len(X) == 1 else X.astype(np.float64).tolist())


@unhurried
@given(
    SHAPES.flatmap(
        lambda shape: st.lists(
            st.lists(st.text(max_size=8), min_size=shape[1], max_size=shape[1]),
            min_size=shape[0],
            max_size=shape[0],
        )
    )
)
def test_texts_are_the_same_in_json_and_bytes(rows: list[list[str]]) -> None:
    shape, flat = [len(rows), len(rows[0])], [cell for row in rows for cell in row]
    assert read(tensor(flat, shape, datatype="BYTES")).table == rows
    assert read(tensor(rows, shape, datatype="BYTES")).table == rows
    assert read_binary(raw(flat, shape, datatype="BYTES")).table == rows


@unhurried
@given(st.binary(max_size=200), st.integers(-2, 210))
def test_whatever_stands_behind_the_json_is_read_or_refused(rest: bytes, size: int) -> None:
    for datatype in ("BYTES", "BOOL", "FP64", "INT8"):
        declared = tensor(None, [2, 3], datatype=datatype) | {
            "parameters": {"binary_data_size": size}
        }
        del declared["data"]
        head = json.dumps({"inputs": [declared]}).encode()
        try:
            table = read_body(head + rest, len(head)).table
        except InvalidRequest as error:
            assert len(error.message) < 400
        else:
            assert len(table) == 2


def test_a_missing_number_is_nan_in_bytes_and_null_in_json() -> None:
    in_bytes = read_binary(raw([1.0, NAN, 3.0], [1, 3])).table
    assert in_bytes == read(tensor([1.0, None, 3.0], [1, 3])).table == [[1.0, None, 3.0]]
    # Some clients write the bare token NaN, which a lenient parser reads as this.
    assert read(tensor([1.0, NAN, 3.0], [1, 3])).table == in_bytes


def test_a_matrix_does_not_hang_on_the_body() -> None:
    X = read_binary(raw(range(4), [2, 2])).table
    X[0, 0] = 7.0
    assert X.flags.aligned and X.flags.writeable


def test_true_and_false_stay_what_they_are() -> None:
    """The schema refuses them as numbers, as it refuses JSON's true."""
    assert read(tensor([True, False], [1, 2], datatype="BOOL")).table == [[True, False]]
    assert read_binary(raw([True, False], [2, 1], datatype="BOOL")).table == [[True], [False]]


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        ("FP64", [1.0, True, 2.0, 3.0]),
        ("FP64", [1.0, "2", 2.0, 3.0]),
        ("FP32", [1.0, [2.0], 2.0, 3.0]),
        ("INT64", [1, 2.0, 3, 4]),
        ("INT64", [1, True, 3, 4]),
        ("UINT8", [1, 256, 3, 4]),
        ("UINT8", [1, -1, 3, 4]),
        ("INT8", [1, 128, None, 4]),
        ("BOOL", [True, 1, False, False]),
        ("BYTES", ["a", 1, "b", "c"]),
    ],
)
def test_it_refuses_cells_of_another_type(datatype: str, data: list[Any]) -> None:
    with pytest.raises(InvalidRequest, match="expected") as refused:
        read(tensor(data, [2, 2], datatype=datatype, name="x"))
    [cell] = refused.value.cells
    assert (cell.row, cell.code) == (0, "wrong_type")
    assert cell.column in {"x[0]", "x[1]"}


def test_it_names_every_bad_cell_up_to_a_limit() -> None:
    with pytest.raises(InvalidRequest, match="and 2 more") as refused:
        read(tensor(["a", 1.0, "b", "c"], [4, 1]))
    cells = refused.value.cells
    assert [(cell.row, cell.column) for cell in cells] == [(row, "input-0") for row in (0, 2, 3)]
    with pytest.raises(InvalidRequest) as refused:
        read(tensor(["a"] * 500, [10, 50]))
    assert len(refused.value.cells) == 100


@pytest.mark.parametrize(
    "data",
    [
        [],
        [1.0],
        [1.0] * 5,
        [[1.0, 2.0]],
        [[1.0, 2.0], [3.0]],
        [[1.0], [2.0], [3.0], [4.0]],
        [[1.0, 2.0], 3.0, 4.0],
        [[[1.0, 2.0], [3.0, 4.0]]],
        "1234",
        {"0": 1.0},
        None,
        4,
    ],
)
def test_it_refuses_data_of_another_shape(data: Any) -> None:
    with pytest.raises(InvalidRequest, match="4 values"):
        read(tensor(data, [2, 2]))


@pytest.mark.parametrize(
    "shape",
    [None, [], 7, "2,2", [2, 2, 1], [0, 4], [-1, 4], [True, 4], [2.0, 2], ["2", 2], [1, HUGE]],
    ids=range(11),
)
def test_it_refuses_an_impossible_shape(shape: Any) -> None:
    with pytest.raises(InvalidRequest, match="shape is"):
        read({"name": "x", "shape": shape, "datatype": "FP64", "data": [1.0] * 4})


def test_it_refuses_too_many_rows() -> None:
    with pytest.raises(TooLarge, match="51 rows; 50 is the most"):
        read(tensor([0.0] * (MOST_ROWS + 1), [MOST_ROWS + 1, 1]))


def test_a_large_shape_alone_costs_nothing() -> None:
    started = time.process_time()
    for shape in ([MOST_ROWS, 2**31], [1, 2**31]):
        with pytest.raises(InvalidRequest):
            read(tensor([1.0], shape))
        with pytest.raises(InvalidRequest):
            read_binary((raw([1.0], shape)[0], b"12345678"))
        with pytest.raises(InvalidRequest):
            read_binary(raw(["a"], shape, datatype="BYTES"))
    assert time.process_time() - started < pace.seconds(0.1)


@pytest.mark.parametrize("datatype", [None, 64, [], "fp64", "FP128", "STRING"])
def test_it_refuses_an_unknown_datatype_and_names_the_known(datatype: Any) -> None:
    with pytest.raises(InvalidRequest, match="BOOL, UINT8.*FP64, BYTES"):
        read(tensor([1.0], [1, 1], datatype=datatype))


def test_it_refuses_fp16_as_json() -> None:
    with pytest.raises(InvalidRequest, match="FP16 is read from bytes"):
        read(tensor([1.0], [1, 1], datatype="FP16"))


def test_it_refuses_an_integer_beyond_floats() -> None:
    with pytest.raises(InvalidRequest, match="too large"):
        read(tensor([10**400, 1, 2, 3], [2, 2]))


@pytest.mark.parametrize("given_", [None, [], "x", {}, {"name": 3, "shape": [1], "data": [1]}])
def test_it_refuses_what_is_no_tensor(given_: Any) -> None:
    with pytest.raises(InvalidRequest, match="input"):
        read(given_)


def test_it_refuses_a_tensor_with_both_or_neither_kind_of_data() -> None:
    declared, _ = raw([1.0], [1, 1])
    for given_ in (declared | {"data": [1.0]}, declared | {"parameters": None}):
        with pytest.raises(InvalidRequest, match="either data or"):
            read(given_)


@pytest.mark.parametrize("parameters", [[1], "x", 3])
def test_it_refuses_parameters_that_are_no_object(parameters: Any) -> None:
    with pytest.raises(InvalidRequest, match="parameters is an object"):
        read(tensor([1.0], [1, 1]) | {"parameters": parameters})


@pytest.mark.parametrize("size", [None, True, -1, "8", 8.0, HUGE], ids=range(6))
def test_it_refuses_an_impossible_size(size: Any) -> None:
    declared = raw([1.0], [1, 1])[0] | {"parameters": {"binary_data_size": size}}
    with pytest.raises(InvalidRequest, match="binary_data_size"):
        read(declared)


def test_it_refuses_bytes_that_are_not_the_announced_ones() -> None:
    (declared, blob) = raw([1.0, 2.0], [1, 2])
    with pytest.raises(InvalidRequest, match="only 8 bytes are left"):
        read_binary((declared, blob[:8]))
    with pytest.raises(InvalidRequest, match="ends with 3 bytes"):
        read_binary((declared, blob + b"123"))
    with pytest.raises(InvalidRequest, match="takes 24 bytes"):
        read_binary((declared | {"shape": [1, 3]}, blob))


@pytest.mark.parametrize(
    "blob",
    [b"", b"\x01\x00", texts(["a"]), texts(["a", "b", "c"]), texts(["a"]) + b"\xff\xff\xff\xffb"],
)
def test_it_refuses_bytes_that_are_not_the_texts(blob: bytes) -> None:
    declared = raw(["a", "b"], [1, 2], datatype="BYTES")[0]
    with pytest.raises(InvalidRequest, match="not 2 texts"):
        read_binary((declared | {"parameters": {"binary_data_size": len(blob)}}, blob))


def test_it_refuses_text_that_is_not_utf_8() -> None:
    declared = raw(["a"], [1, 1], datatype="BYTES")[0]
    with pytest.raises(InvalidRequest, match="not UTF-8"):
        read_binary((declared, b"\x01\x00\x00\x00\xff"))


@pytest.mark.parametrize("length", ["", "-1", "x", "1e3", "٣", "9" * 30, "1000"])
def test_it_refuses_an_impossible_length_of_the_json(length: str) -> None:
    body = b'{"inputs": []}'
    with pytest.raises(InvalidRequest, match="Inference-Header-Content-Length"):
        read_body(body, length)


def test_names_are_cut_in_messages() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(tensor(["x"], [1, 1], name="N" * 10_000))
    assert len(refused.value.message) < 300
    assert all(len(str(cell.column)) <= 80 for cell in refused.value.cells)


def test_errors_do_not_repeat_values() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(tensor(["secret"] * 4, [2, 2]))
    assert "secret" not in f"{refused.value.message} {refused.value.cells}"

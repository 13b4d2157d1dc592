"""An inference request is one tensor for all columns or one for each, and says what to answer with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoints.errors import InvalidRequest, TooLarge
from endpoints.protocols.inference import Wanted
from tests.endpoints.protocols.tensor_requests import (
    binary_body,
    raw,
    read,
    read_binary,
    read_body,
    read_document,
    tensor,
)

unhurried = settings(deadline=None, database=None)
ONE = tensor([1.0, 2.0], [1, 2])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
ANY_JSON = st.recursive(
    SCALARS,
    lambda part: (
        st.lists(part, max_size=4) | st.dictionaries(st.text(max_size=5), part, max_size=3)
    ),
    max_leaves=8,
)
NEARLY_PARAMETERS = ANY_JSON | st.fixed_dictionaries(
    {}, optional={"binary_data_size": ANY_JSON, "binary_data": ANY_JSON}
)
NEARLY_A_TENSOR = st.fixed_dictionaries(
    {
        "name": st.text(max_size=3) | ANY_JSON,
        "datatype": st.sampled_from(["FP64", "INT8", "BYTES", "BOOL", "FP16"]) | ANY_JSON,
        "shape": st.lists(st.integers(0, 3), min_size=1, max_size=2) | ANY_JSON,
    },
    optional={"data": st.lists(SCALARS, max_size=9) | ANY_JSON, "parameters": NEARLY_PARAMETERS},
)
NEARLY_AN_OUTPUT = st.fixed_dictionaries(
    {"name": st.sampled_from(["predict", "label"]) | ANY_JSON},
    optional={"parameters": NEARLY_PARAMETERS},
)
NEARLY_A_REQUEST = st.fixed_dictionaries(
    {"inputs": st.lists(NEARLY_A_TENSOR | ANY_JSON, max_size=3) | ANY_JSON},
    optional={
        "outputs": st.lists(NEARLY_AN_OUTPUT | ANY_JSON, max_size=3) | ANY_JSON,
        "id": ANY_JSON,
        "parameters": NEARLY_PARAMETERS,
    },
)


def test_it_works() -> None:
    inference = read(ONE, id="abc", outputs=[{"name": "label"}])
    assert inference.table == [[1.0, 2.0]]
    assert inference.outputs == (Wanted("label", binary=False),)
    assert inference.id == "abc"


def test_one_tensor_may_have_any_name() -> None:
    for name in ("input-0", "predict", "Area", "ä" * 100, ""):
        assert read(tensor([1.0, 2.0], [1, 2], name=name)).table == [[1.0, 2.0]]


@pytest.mark.parametrize("shape", [[1], [1, 1]])
def test_one_tensor_a_column_is_a_row_by_name(shape: list[int]) -> None:
    inference = read(
        tensor([1.5], shape, name="Area"),
        tensor([None], shape, name="Extent"),
        tensor(["red"], shape, name="colour", datatype="BYTES"),
    )
    assert inference.table == [{"Area": 1.5, "Extent": None, "colour": "red"}]


def test_one_tensor_a_column_is_columns_by_name() -> None:
    table = read(
        tensor([1.5, None], [2], name="Area"),
        tensor([3, 4], [2, 1], name="Count", datatype="INT32"),
        tensor(["red", None], [2, 1], name="colour", datatype="BYTES"),
        tensor([True, False], [2], name="ripe", datatype="BOOL"),
    ).table
    np.testing.assert_array_equal(table["Area"], [1.5, np.nan])
    assert table["Count"].dtype == np.float64
    assert table["colour"] == ["red", None]
    assert table["ripe"] == [True, False]


def test_a_single_tensor_of_one_dimension_is_a_column() -> None:
    assert list(read(tensor([1.0, 2.0], [2], name="Area")).table) == ["Area"]


def test_bytes_follow_in_the_order_of_the_inputs() -> None:
    body, length = binary_body(
        raw(["dark", "röt"], [2], name="colour", datatype="BYTES"),
        (tensor([7, 8], [2], name="Extent"), b""),
        raw([1.5, 2.5], [2, 1], name="Area", datatype="FP32"),
    )
    table = read_body(body, length).table
    assert table["colour"] == ["dark", "röt"]
    assert table["Extent"].tolist() == [7.0, 8.0]
    assert table["Area"].tolist() == [1.5, 2.5]


def test_a_length_of_the_json_may_be_sent_without_bytes_behind_it() -> None:
    body, length = binary_body((ONE, b""))
    assert read_body(body, length).table == read_body(body, None).table


@pytest.mark.parametrize("nothing", [{}, {"outputs": None}, {"outputs": [], "parameters": None}])
def test_without_wishes_it_answers_with_numbers_and_probabilities(nothing: dict[str, Any]) -> None:
    names = [wanted.name for wanted in read(ONE, **nothing).outputs]
    assert names == ["predict", "predict_proba"]


def test_binary_data_of_an_output_overrules_that_of_the_request() -> None:
    outputs = [
        {"name": "predict_proba", "parameters": {"binary_data": False}},
        {"name": "predict"},
        {"name": "label", "parameters": {"binary_data": True}},
    ]
    for of_all in (True, False):
        read_ = read(ONE, outputs=outputs, parameters={"binary_data_output": of_all})
        assert [wanted.binary for wanted in read_.outputs] == [False, of_all, True]


def test_unknown_parameters_are_left_alone() -> None:
    of_tensor = ONE | {"parameters": {"content_type": "np"}}
    assert read(of_tensor, parameters={"content_type": "pd", "headers": {}}).table == [[1.0, 2.0]]


def test_an_empty_id_is_none() -> None:
    assert read(ONE, id="").id is None
    assert read(ONE).id is None


@pytest.mark.parametrize("document", [None, [], "x", 3, {}, {"inputs": []}, {"inputs": {}}])
def test_it_refuses_a_request_without_inputs(document: Any) -> None:
    with pytest.raises(InvalidRequest, match="inputs"):
        read_document(document)


def test_it_refuses_too_many_tensors() -> None:
    with pytest.raises(InvalidRequest, match="at most 1,000"):
        read(*[tensor([1.0], [1], name=str(number)) for number in range(1_001)])


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (tensor([1.0, 2.0], [1, 2], name="b"), r"has the shape \[1, 2\]"),
        (tensor([1.0, 2.0], [2], name="b"), "“b” has 2 rows, “a” 1"),
        (tensor([1.0], [1], name="a"), "two inputs “a”"),
    ],
)
def test_it_refuses_columns_that_do_not_fit(second: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        read(tensor([1.0], [1], name="a"), second)


@pytest.mark.parametrize(
    "outputs",
    [
        "predict",
        {"name": "predict"},
        ["predict"],
        [{}],
        [{"name": "probabilities"}],
        [{"name": ["predict"]}],
        [{"name": "predict"}] * 4,
    ],
)
def test_it_refuses_an_unknown_output_and_names_the_known(outputs: Any) -> None:
    with pytest.raises(InvalidRequest, match="predict, predict_proba, label"):
        read(ONE, outputs=outputs)


def test_it_says_which_output_was_meant() -> None:
    with pytest.raises(InvalidRequest, match="did you mean"):
        read(ONE, outputs=[{"name": "predict_probas"}])


@pytest.mark.parametrize("name", ["classification", "shared_memory_region"])
def test_it_refuses_what_would_change_the_output(name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"[Aa]sk for"):
        read(ONE, outputs=[{"name": "predict", "parameters": {name: 2}}])


@pytest.mark.parametrize("value", [None, 1, "true", []])
def test_it_refuses_flags_that_are_neither_true_nor_false(value: Any) -> None:
    with pytest.raises(InvalidRequest, match="true or false"):
        read(ONE, parameters={"binary_data_output": value})
    with pytest.raises(InvalidRequest, match="true or false"):
        read(ONE, outputs=[{"name": "label", "parameters": {"binary_data": value}}])


@pytest.mark.parametrize("parameters", [[], "x", 1])
def test_it_refuses_parameters_that_are_no_object(parameters: Any) -> None:
    with pytest.raises(InvalidRequest, match="is an object"):
        read(ONE, parameters=parameters)


@pytest.mark.parametrize("given", [3, [], {}, "x" * 257])
def test_it_refuses_an_id_that_cannot_be_one(given: Any) -> None:
    with pytest.raises(InvalidRequest, match="“id”"):
        read(ONE, id=given)


def test_it_refuses_bytes_without_the_length_of_the_json() -> None:
    declared, _ = raw([1.0], [1, 1])
    with pytest.raises(InvalidRequest, match="only 0 bytes are left"):
        read(declared)
    assert read_binary(raw([1.0], [1, 1])).table == [[1.0]]


@unhurried
@given(NEARLY_A_REQUEST | ANY_JSON)
def test_whatever_json_can_say_is_read_or_refused_in_a_few_words(document: Any) -> None:
    try:
        inference = read_document(document)
    except (InvalidRequest, TooLarge) as error:
        assert 0 < len(error.message) < 500
    else:
        assert len(inference.table) > 0

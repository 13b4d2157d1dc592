"""NVIDIA's tritonclient.http against the server: all that it can ask gets the native route's answer."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from tests.clients.conftest import Served
from tests.clients.native import close
from tests.clients.prepared import FRUITS, Row
from tests.clients.running import run_script
from tests.live import ROW

pytestmark = pytest.mark.process

COMPRESSIONS = ("None", "gzip", "deflate")
COMBINATIONS = [
    "-".join(parts)
    for parts in product(("binary", "json"), ("binary", "json"), COMPRESSIONS, COMPRESSIONS)
]
GAP: list[Row] = [fruit | {"Weight": None} for fruit in FRUITS]


@pytest.fixture(scope="module")
def found(served: Served) -> dict[str, Any]:
    return run_script("ask_triton.py", served.given)


def positive(facts: dict[str, Any]) -> list[float]:
    """The probabilities of the positive class; those of a row sum to 1."""
    rows = facts["predict_proba"]
    assert [sum(row) for row in rows] == close([1.0] * len(rows))
    return [row[1] for row in rows]


def classes(facts: dict[str, Any]) -> list[int]:
    """The predicted classes, whether they came as [N] or as [N, 1]."""
    return [value[0] if isinstance(value, list) else value for value in facts["predict"]]


@pytest.mark.parametrize("name", COMBINATIONS)
def test_it_works_as_bytes_or_json_however_compressed(
    name: str, found: dict[str, Any], served: Served
) -> None:
    facts, native = found["combinations"][name], served.native()
    assert positive(facts) == close(native.probabilities(served.rows))
    assert classes(facts) == native.predictions(served.rows)


@pytest.mark.parametrize("name", COMBINATIONS)
def test_it_answers_in_the_form_that_was_asked_for(name: str, found: dict[str, Any]) -> None:
    wants_bytes = name.split("-")[1] == "binary"
    assert found["combinations"][name]["binary"] == [wants_bytes] * 2


@pytest.mark.parametrize("name", ["columns", "matrix", "matrix_json"])
def test_a_tensor_a_column_or_one_for_all(name: str, found: dict[str, Any], served: Served) -> None:
    facts = found["shapes"][name]
    assert positive(facts) == close(served.native().probabilities(served.rows))


def test_a_matrix_of_single_precision_is_scored_as_it_came(
    found: dict[str, Any], served: Served
) -> None:
    single = [
        {name: float(np.float32(value)) for name, value in row.items()} for row in served.rows
    ]
    facts = found["shapes"]["matrix_fp32"]
    assert positive(facts) == close(served.native().probabilities(single))


def test_one_row_is_an_answer_of_one_row(found: dict[str, Any], served: Served) -> None:
    _, answer = served.native().answer(served.rows[:1])
    assert positive(found["shapes"]["one_row"]) == close([answer["probability"]])


def test_outputs_have_the_types_that_the_metadata_says(found: dict[str, Any]) -> None:
    told = {output["name"]: output["datatype"] for output in found["state"]["model"]["outputs"]}
    sent = found["shapes"]["columns"]["datatypes"]
    assert sent == {"predict": "INT64", "predict_proba": "FP64"}
    assert sent.items() <= told.items()


def test_it_is_live_and_ready(found: dict[str, Any]) -> None:
    state = found["state"]
    assert (state["live"], state["ready"]) == (True, True)
    assert (state["model_ready"], state["version_ready"]) == (True, True)


def test_what_is_not_there_is_not_ready(found: dict[str, Any]) -> None:
    state = found["state"]
    assert (state["unknown_model_ready"], state["unknown_version_ready"]) == (False, False)


def test_the_server_says_which_extensions_it_has(found: dict[str, Any]) -> None:
    server = found["state"]["server"]
    assert server["name"]
    assert server["version"]
    assert "binary_tensor_data" in server["extensions"]


def test_the_model_says_its_inputs_and_versions(found: dict[str, Any]) -> None:
    for model in (found["state"]["model"], found["state"]["version"]):
        assert model["name"] == "raisin"
        assert [tensor["name"] for tensor in model["inputs"]] == list(ROW)
        assert {"1", "2", "3"} >= set(model["versions"]) > set()


def test_the_index_lists_the_model_as_ready(found: dict[str, Any]) -> None:
    states = {entry["name"]: entry["state"] for entry in found["state"]["index"]}
    assert states == {"orchard": "READY", "raisin": "READY"}


def test_the_index_lists_to_a_key_what_is_not_public(found: dict[str, Any]) -> None:
    assert "cellar" in [entry["name"] for entry in found["keys"]["index"]]


def test_all_outputs_come_where_none_is_named(found: dict[str, Any], served: Served) -> None:
    facts, native = found["choices"]["default"], served.native()
    assert positive(facts) == close(native.probabilities(served.rows[:3]))
    assert classes(facts) == native.predictions(served.rows[:3])


@pytest.mark.parametrize(
    ("name", "outputs"), [("classes", ["predict"]), ("probabilities", ["predict_proba"])]
)
def test_only_the_named_output_comes(name: str, outputs: list[str], found: dict[str, Any]) -> None:
    assert list(found["choices"][name]["datatypes"]) == outputs


@pytest.mark.parametrize("form", ["binary", "json"])
def test_labels_come_as_texts(form: str, found: dict[str, Any], served: Served) -> None:
    assert found["labels"][form] == served.native().labels(served.rows[:3])


def test_the_id_of_the_caller_comes_back(found: dict[str, Any]) -> None:
    assert found["choices"]["named"]["id"] == "grain-17"


@pytest.mark.parametrize("number", [1, 3])
def test_a_version_is_chosen_in_the_address(
    number: int, found: dict[str, Any], served: Served
) -> None:
    facts = found["choices"][f"version_{number}"]
    expected = served.native().probabilities(served.rows[:3], f"?version={number}")
    assert facts["model_version"] == str(number)
    assert positive(facts) == close(expected)


def test_without_a_version_production_answers(found: dict[str, Any], served: Served) -> None:
    production = str(served.site.demo["production"])
    assert found["choices"]["default"]["model_version"] == production


def test_many_questions_at_once_are_answered_alike(found: dict[str, Any], served: Served) -> None:
    expected = served.native().probabilities(served.rows[:3])
    assert len(found["later"]) == 8
    assert [positive(facts) for facts in found["later"]] == [close(expected)] * 8


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("unknown_model", ["404", "nobody"]),
        ("unknown_model_gzip", ["404", "nobody"]),
        ("unknown_metadata", ["404", "nobody"]),
        ("unknown_version", ["404", "version 99"]),
        ("a_column_less", ["Area"]),
        ("a_column_more", ["Colour"]),
        ("narrow_matrix", ["7", "2"]),
        ("text", ["Area", "number"]),
        ("load", ["403", "promoted"]),
    ],
)
def test_it_refuses_in_words(name: str, words: list[str], found: dict[str, Any]) -> None:
    message = found["refusals"][name]
    assert "decoding the response" not in message
    assert [word for word in words if word not in message] == []


def test_it_refuses_a_missing_value_as_the_native_route_does(
    found: dict[str, Any], served: Served
) -> None:
    """Training saw no gap in these columns. The client writes NaN into JSON too, which has no such word."""
    _, answer = served.native().answer([served.rows[0] | {"Perimeter": None}])
    assert found["refusals"]["nan"] == f"[400] {answer['error']}"
    assert found["refusals"]["nan_as_json"] == f"[400] {answer['error']}"


def test_texts_travel_as_bytes_or_json(found: dict[str, Any], served: Served) -> None:
    expected = close(served.native("orchard").probabilities(FRUITS))
    assert positive(found["fruits"]["binary"]) == expected
    assert positive(found["fruits"]["json"]) == expected


def test_nan_is_a_missing_value(found: dict[str, Any], served: Served) -> None:
    expected = close(served.native("orchard").probabilities(GAP))
    assert positive(found["fruits"]["gap"]) == expected
    assert positive(found["fruits"]["gap_as_json"]) == expected


def test_a_key_opens_what_is_not_public(found: dict[str, Any], served: Served) -> None:
    expected = served.native("cellar").probabilities(served.rows[:3])
    assert positive(found["keys"]["with"]) == close(expected)


def test_it_refuses_without_a_key(found: dict[str, Any]) -> None:
    assert "[401]" in found["keys"]["without"]
    assert "key" in found["keys"]["without"]


@pytest.fixture(scope="module")
def found_by_aio(served: Served) -> dict[str, Any]:
    return run_script("ask_triton_aio.py", served.given)


def test_the_asyncio_client_gets_the_same(found_by_aio: dict[str, Any], served: Served) -> None:
    expected = served.native().probabilities(served.rows)
    answers = [*found_by_aio["at_once"], found_by_aio["compressed"]]
    assert [positive(facts) for facts in answers] == [close(expected)] * 9


def test_the_asyncio_client_reads_what_it_cannot_unpack(found_by_aio: dict[str, Any]) -> None:
    """It asks for compression everywhere, and unpacks neither metadata nor refusals."""
    assert (found_by_aio["live"], found_by_aio["ready"]) == (True, True)
    assert found_by_aio["model"]["name"] == "raisin"
    assert "nobody" in found_by_aio["unknown_metadata"]
    assert "nobody" in found_by_aio["unknown_model"]

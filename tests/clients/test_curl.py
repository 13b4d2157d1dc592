"""curl against the scoring routes: whichever form the rows come in, the probability is the native one."""

from __future__ import annotations

import csv
import io
import json
import zlib
from typing import Any

import pytest

from tests.clients.conftest import Served
from tests.clients.native import close
from tests.clients.prepared import FRUITS, Row
from tests.clients.running import run

pytestmark = pytest.mark.process

CSV = ("-H", "Content-Type: text/csv")
JSON = ("-H", "Content-Type: application/json")
UNNAMED = ("-H", "Content-Type:")  # curl then sends no such header
AUTOMATIC = 32  # zlib then tells gzip from deflate by the head
AS_A_FORM = ()  # what curl -d says by itself: application/x-www-form-urlencoded


def curl(url: str, body: str, *options: str) -> tuple[int, dict[str, Any]]:
    """Send a body with --data-binary; return the status and the JSON that came back."""
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20"]
    command += ["--write-out", "\n%{http_code} %{content_type}", "--data-binary", "@-"]
    text, _, tail = run([*command, *options, url], sent=body.encode()).decode().rpartition("\n")
    status, content_type = tail.split(" ", 1)
    assert content_type == "application/json"
    answer = json.loads(text)
    assert isinstance(answer, dict)
    return int(status), answer


def invoke(served: Served, body: str, *options: str, slug: str = "raisin") -> dict[str, Any]:
    status, answer = curl(f"{served.site.url}/e/{slug}/invocations", body, *options)
    assert status == 200, answer
    return answer


def as_csv(rows: list[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_tensor(rows: list[Row]) -> str:
    values = [list(row.values()) for row in rows]
    shape = [len(values), len(values[0])]
    tensor = {"name": "input-0", "datatype": "FP64", "shape": shape, "data": values}
    return json.dumps({"inputs": [tensor]})


def json_forms(rows: list[Row]) -> dict[str, Any]:
    """The four keys that MLflow's servers know."""
    names, lists = list(rows[0]), [list(row.values()) for row in rows]
    return {
        "dataframe_split": {"columns": names, "data": lists},
        "dataframe_records": rows,
        "instances": rows,
        "inputs": {name: [row[name] for row in rows] for name in names},
    }


def test_it_works_with_csv(served: Served) -> None:
    answer = invoke(served, as_csv(served.rows), *CSV)
    native = served.native()
    assert answer["predictions"] == native.labels(served.rows)
    assert answer["probabilities"] == close(native.probabilities(served.rows))


@pytest.mark.parametrize("key", ["dataframe_split", "dataframe_records", "instances", "inputs"])
@pytest.mark.parametrize("header", [JSON, UNNAMED, AS_A_FORM], ids=["json", "unnamed", "form"])
def test_it_works_with_json(key: str, header: tuple[str, ...], served: Served) -> None:
    body = {key: json_forms(served.rows)[key]}
    answer = invoke(served, json.dumps(body), *header)
    assert answer["probabilities"] == close(served.native().probabilities(served.rows))


def test_a_charset_may_be_named(served: Served) -> None:
    header = ("-H", "Content-Type: text/csv; charset=utf-8")
    answer = invoke(served, as_csv(served.rows), *header)
    assert answer["probabilities"] == close(served.native().probabilities(served.rows))


def test_a_body_may_come_in_chunks_of_unsaid_length(served: Served) -> None:
    answer = invoke(served, as_csv(served.rows), *CSV, "-H", "Transfer-Encoding: chunked")
    assert answer["probabilities"] == close(served.native().probabilities(served.rows))


@pytest.mark.parametrize("route", ["ping", "health"])
def test_it_says_that_it_answers(route: str, served: Served) -> None:
    command = ["curl", "--silent", "--fail", "--noproxy", "*"]
    assert run([*command, f"{served.site.url}/e/raisin/{route}"]) == b"\n"


def test_an_empty_cell_is_a_missing_value(served: Served) -> None:
    gap: list[Row] = [fruit | {"Weight": None} for fruit in FRUITS]
    answer = invoke(served, as_csv(gap), *CSV, slug="orchard")
    expected = served.native("orchard").probabilities(gap)
    assert answer["probabilities"] == close(expected)


def test_it_refuses_an_empty_cell_where_the_native_route_refuses_null(served: Served) -> None:
    gap = [served.rows[0] | {"Perimeter": None}]
    url = f"{served.site.url}/e/raisin/invocations"
    _, expected = served.native().answer(gap)
    status, answer = curl(url, as_csv(gap), *CSV)
    assert (status, answer["message"]) == (400, expected["message"])


@pytest.mark.parametrize("header", [JSON, UNNAMED, AS_A_FORM], ids=["json", "unnamed", "form"])
def test_version_2_takes_it_without_a_content_type(header: tuple[str, ...], served: Served) -> None:
    url = f"{served.site.url}/v2/models/raisin/infer"
    status, answer = curl(url, as_tensor(served.rows), *header)
    assert status == 200, answer
    (found,) = [entry for entry in answer["outputs"] if entry["name"] == "predict_proba"]
    assert found["data"][1::2] == close(served.native().probabilities(served.rows))


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_version_2_answers_compressed(coding: str, served: Served) -> None:
    """Clients unpack without a word, so only the bytes tell."""
    url = f"{served.site.url}/v2/models/raisin/infer"
    command = ["curl", "--silent", "--noproxy", "*", "-H", f"Accept-Encoding: {coding}"]
    packed = run([*command, "--data-binary", "@-", url], sent=as_tensor(served.rows).encode())
    answer = json.loads(zlib.decompress(packed, wbits=zlib.MAX_WBITS | AUTOMATIC))
    assert answer["model_name"] == "raisin"


def test_the_native_route_takes_it_as_a_form(served: Served) -> None:
    url = f"{served.site.url}/api/v1/raisin/predict"
    status, answer = curl(url, json.dumps({"rows": served.rows}))
    assert status == 200
    assert answer["probabilities"] == close(served.native().probabilities(served.rows))


def test_a_key_opens_what_is_not_public(served: Served) -> None:
    header = ("-H", f"Authorization: Bearer {served.key}")
    answer = invoke(served, as_csv(served.rows), *CSV, *header, slug="cellar")
    expected = served.native("cellar").probabilities(served.rows)
    assert answer["probabilities"] == close(expected)


@pytest.mark.parametrize(
    ("body", "status"),
    [("", 400), ("{", 400), ("[1]", 400), ("1", 400), ('{"rows": []}', 400), ("[" * 100_000, 400)],
    ids=["empty", "broken", "list", "number", "other keys", "deep"],
)
def test_it_refuses_other_bodies_in_words(body: str, status: int, served: Served) -> None:
    answer = curl(f"{served.site.url}/e/raisin/invocations", body, *JSON)
    assert answer[0] == status
    assert answer[1]["error"] == answer[1]["message"]
    assert answer[1]["error_code"]


def test_it_refuses_a_type_that_it_does_not_know(served: Served) -> None:
    header = ("-H", "Content-Type: application/vnd.apache.parquet")
    status, answer = curl(f"{served.site.url}/e/raisin/invocations", "PAR1", *header)
    assert status == 415
    assert answer["error"]

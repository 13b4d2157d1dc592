"""A file over REST from beginning to end, with the work of a worker in between; answers are as documented."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from rest_framework.test import APIClient

from endpoints.api import openapi, waiting
from endpoints.api.batch_schemas import BATCHES
from endpoints.models import BatchJob, Endpoint, PredictionRequest
from endpoints.services import working
from endpoints.services.batches import checking, scoring
from tests.endpoints.api.client import post, with_key
from tests.endpoints.api.test_batch_jobs import fetched
from tests.live import ROW

pytestmark = pytest.mark.django_db

GRAIN = ",".join(str(value) for value in ROW.values())
HEADER = ",".join(ROW)
TABLE = f"{HEADER},note,Class\n{GRAIN},=1+1,Besni\n{GRAIN.replace('87524', 'n/k')},x,Kecimen\n"


@pytest.fixture
def program(dev_key: str) -> APIClient:
    return with_key(APIClient(), dev_key)


@pytest.fixture(autouse=True)
def a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do all there is to do whenever somebody waits."""

    def sleep(seconds: float) -> None:
        [job] = BatchJob.objects.exclude(state__in=("done", "needs_attention"))
        working.at(BatchJob, job.pk, checking.check if job.state == "uploaded" else scoring.score)

    monkeypatch.setattr(waiting.time, "sleep", sleep)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document()


def told(api: APIClient, body: str, asked: str = "") -> dict[str, Any]:
    """Send the file and wait for what becomes of it."""
    address = f"/api/v1/batch-predict?endpoint=raisin&wait=10{asked}"
    response = api.generic("POST", address, body.encode(), content_type="text/csv")
    assert response.status_code == 200, response.json()
    found: dict[str, Any] = response.json()
    return found


def refuse_undocumented(answer: Any, document: dict[str, Any], name: str) -> None:
    schema = document | {"$ref": f"#/components/schemas/{name}"}
    Draft202012Validator(schema).validate(answer)


def test_it_works(program: APIClient, raisin: Endpoint, document: dict[str, Any]) -> None:
    job = told(program, TABLE)
    assert (job["state"], job["rows"], job["rows_bad"]) == ("done", 2, 1)
    refuse_undocumented(job, document, "BatchDetail")
    lines = fetched(program.get(job["links"]["results"])).decode().splitlines()
    assert lines[0] == f"{HEADER},note,Class,probability,label,version,error"
    assert lines[1].startswith(f"{GRAIN},'=1+1,Besni,0.")
    assert ",x,Kecimen,,,1," in lines[2]
    as_it_is = fetched(program.get(job["links"]["results"] + "?as_is=true")).decode()
    assert as_it_is == "\n".join(lines).replace("'=1+1", "=1+1") + "\n"
    errors = fetched(program.get(job["links"]["errors"])).decode().splitlines()
    assert errors[0] == "row,column,value,problem"
    assert errors[1].startswith("2,Area,n/k,")


def test_a_row_is_answered_as_a_prediction(program: APIClient, raisin: Endpoint) -> None:
    job = told(program, TABLE)
    line = fetched(program.get(job["links"]["results"])).decode().splitlines()[1]
    probability, label, version, error = line.split(",")[-4:]
    answer = post(program, "/api/v1/raisin/predict", ROW).json()
    assert float(probability) == pytest.approx(answer["probability"], abs=1e-12)
    assert (label, version, error) == (answer["label"], "1", "")


@pytest.mark.parametrize(("asked", "requests"), [("", 1), ("&log=0", 0)])
def test_rows_enter_the_log_unless_told_not_to(
    program: APIClient, raisin: Endpoint, asked: str, requests: int
) -> None:
    assert told(program, TABLE, asked)["report"]["logged"] == requests
    assert PredictionRequest.objects.count() == requests


def test_true_labels_are_judged_and_kept(
    program: APIClient, raisin: Endpoint, document: dict[str, Any]
) -> None:
    job = told(program, TABLE, "&label_column=Class&store_labels=1")
    refuse_undocumented(job, document, "BatchDetail")
    assert job["report"]["metrics"]["accuracy"] in (0, 1)
    assert job["report"]["feedback"]["stored"] == 1


def test_a_file_that_lacks_a_column_is_mended(
    program: APIClient, raisin: Endpoint, document: dict[str, Any]
) -> None:
    job = told(program, TABLE.replace("Perimeter", "perimetre in px"))
    assert job["state"] == "needs_attention"
    refuse_undocumented(job, document, "BatchDetail")
    [missing] = job["check"]["missing"]
    assert missing["name"] == "Perimeter"
    body = {"mapping": {"Perimeter": "perimetre in px"}}
    mended = post(program, job["links"]["start"] + "?wait=10", body)
    assert (mended.status_code, mended.json()["state"]) == (200, "done")
    assert mended.json()["mapping"]["Perimeter"] == "perimetre in px"


def test_a_list_is_as_documented(
    program: APIClient, raisin: Endpoint, document: dict[str, Any]
) -> None:
    told(program, TABLE)
    refuse_undocumented(program.get("/api/v1/batches").json(), document, "BatchPage")


@pytest.mark.parametrize("name", [name for name, schema in BATCHES.items() if "examples" in schema])
def test_examples_are_true(name: str, document: dict[str, Any]) -> None:
    for example in BATCHES[name]["examples"]:
        refuse_undocumented(example, document, name)

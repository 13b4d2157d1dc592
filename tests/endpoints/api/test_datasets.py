"""Datasets by REST: sent, read, listed, put away."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from rest_framework.test import APIClient

from endpoints.models import Dataset
from endpoints.services import uploads, working
from endpoints.services.datasets import reading
from tests import cast
from tests.endpoints.api.client import post, problem_in, with_key
from tests.endpoints.services.datasets.files import GRAINS

DATASETS = "/api/v1/datasets"


@pytest.fixture
def dana_api(dana: User) -> APIClient:
    return with_key(APIClient(), cast.new_key(dana)[1])


def send(api: APIClient, content: str = GRAINS, name: str = "grains.csv", **fields: str) -> Any:
    file = SimpleUploadedFile(name, content.encode())
    return api.post(DATASETS, {"file": file, **fields})


def read(response: HttpResponse) -> None:
    working.at(Dataset, response.json()["id"], reading.read)


def test_it_works(dana_api: APIClient) -> None:
    response = send(dana_api)
    body = response.json()
    assert (response.status_code, body["state"], body["name"]) == (202, "uploaded", "grains.csv")
    assert response["Location"] == body["url"]
    read(response)
    found = dana_api.get(body["url"]).json()
    assert (found["state"], found["rows"], found["created_by"]) == ("ready", 4, "key tests of dana")
    assert [column["name"] for column in found["columns"]] == ["Area", "Colour", "Class"]


def test_the_file_may_be_the_body_itself(dana_api: APIClient) -> None:
    content = gzip.compress(GRAINS.encode())
    response = dana_api.generic("POST", f"{DATASETS}?name=grains.csv.gz", content)
    assert (response.status_code, response.json()["name"]) == (202, "grains.csv.gz")
    assert list(uploads.home().iterdir()) == []


def test_a_form_may_name_the_file(dana_api: APIClient) -> None:
    fields = {"file": SimpleUploadedFile("x.csv", GRAINS.encode()), "name": "grains of 2026"}
    assert dana_api.post(DATASETS, fields).json()["name"] == "grains of 2026"


def test_it_refuses_two_names(dana_api: APIClient) -> None:
    fields = {"file": SimpleUploadedFile("x.csv", GRAINS.encode()), "name": "one"}
    problem_in(dana_api.post(f"{DATASETS}?name=another", fields), 400, "invalid_request")
    assert not Dataset.objects.exists()


def test_the_same_content_is_the_same_dataset(dana_api: APIClient) -> None:
    first = send(dana_api)
    read(first)
    again = send(dana_api, name="again.csv")
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])


def test_it_is_read_by_its_checksum(dana_api: APIClient) -> None:
    body = send(dana_api).json()
    assert dana_api.get(f"{DATASETS}/{body['sha256']}").json()["id"] == body["id"]


def test_what_is_wrong_is_told_by_row(dana_api: APIClient) -> None:
    response = send(dana_api, "a,b\n1\n")
    read(response)
    body = dana_api.get(response.json()["url"]).json()
    assert (body["state"], body["message"]) == (
        "failed",
        "line 2: 1 cells, but the header has 2",
    )
    assert body["problems"][0]["row"] == 2


def test_examples_are_for_who_may_train(dana_api: APIClient, dev_key: str) -> None:
    response = send(dana_api)
    read(response)
    address = response.json()["url"]

    def examples(api: APIClient) -> list[list[str]]:
        return [column["examples"] for column in api.get(address).json()["columns"]]

    assert any(examples(dana_api))
    assert not any(examples(with_key(APIClient(), dev_key)))


def test_cells_are_quoted_to_who_may_train(dana_api: APIClient, dev_key: str) -> None:
    response = send(dana_api, "x,y\n" + "1.5,a\n2,b\n" * 10 + "Ada,a\n")
    read(response)
    cell = {"row": 2, "column": "x", "value": "Ada", "code": "bad_text", "message": "a NUL byte"}
    Dataset.objects.update(problems=[cell])
    told = [
        api.get(response.json()["url"]).content.decode()
        for api in (dana_api, with_key(APIClient(), dev_key))
    ]
    assert all("1 cell is no usable number: a training refuses that." in text for text in told)
    assert ["Ada" in text for text in told] == [True, False]
    assert "Such as “Ada”." in told[0]


def test_a_list_has_no_columns(dana_api: APIClient, django_assert_max_num_queries: Any) -> None:
    read(send(dana_api))
    send(dana_api, GRAINS + "1,red,Besni\n")
    with django_assert_max_num_queries(6):
        results = dana_api.get(DATASETS).json()["results"]
    assert len(results) == 2
    assert "columns" not in results[0]
    ready = dana_api.get(f"{DATASETS}?state=ready").json()["results"]
    assert [found["rows"] for found in ready] == [4]


def test_an_archived_one_is_not_listed(dana_api: APIClient) -> None:
    url = send(dana_api).json()["url"]
    response = post(dana_api, f"{url}/archive", {})
    assert (response.status_code, response.json()["archived_at"] is None) == (200, False)
    assert dana_api.get(DATASETS).json()["results"] == []


def test_it_refuses_an_empty_body(dana_api: APIClient) -> None:
    problem_in(dana_api.generic("POST", DATASETS, b""), 400, "invalid_request")


def test_it_refuses_a_file_above_the_limit(dana_api: APIClient, settings: Any) -> None:
    settings.RAISIN_MAX_FILE_BYTES = 20
    problem_in(send(dana_api), 413, "too_large")
    assert list(uploads.home().iterdir()) == []


def test_it_refuses_unknown_fields(dana_api: APIClient) -> None:
    problem = problem_in(send(dana_api, target="Class"), 400, "invalid_request")
    assert problem["errors"][0]["field"] == "target"


def test_it_refuses_a_state_that_there_is_not(dana_api: APIClient) -> None:
    problem_in(dana_api.get(f"{DATASETS}?state=done"), 400, "invalid_request")


def test_it_refuses_who_may_not_train_before_the_file_is_read(dev_key: str) -> None:
    problem_in(send(with_key(APIClient(), dev_key)), 403, "not_allowed")


def test_what_is_not_there_is_not_found(dana_api: APIClient) -> None:
    problem_in(dana_api.get(f"{DATASETS}/0123"), 404, "not_found")


def test_wait_gives_a_worker_time(dana_api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def worker(seconds: float) -> None:
        working.at(Dataset, Dataset.objects.get().pk, reading.read)

    monkeypatch.setattr("endpoints.api.waiting.time.sleep", worker)
    file = SimpleUploadedFile("grains.csv", GRAINS.encode())
    response = dana_api.post(f"{DATASETS}?wait=1", {"file": file})
    assert (response.status_code, response.json()["rows"]) == (200, 4)


def test_every_column_says_whether_it_is_a_feature(dana_api: APIClient) -> None:
    response = send(dana_api, "x,lot,y\n1.5,A,a\n2,A,b\n")
    read(response)
    for _ in range(2):
        found = dana_api.get(response.json()["url"]).json()["columns"]
        assert [column["feature"] for column in found] == [True, False, True]
        dataset = Dataset.objects.get()
        dataset.columns = [
            {name: fact for name, fact in column.items() if name != "feature"} for column in found
        ]
        dataset.save(update_fields=["columns"])  # as it was profiled before

"""Trainings by REST: asked for, watched, cancelled, done again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django_tasks_db.models import DBTaskResult
from rest_framework.test import APIClient

from endpoints.models import Dataset, Run
from endpoints.services import leases, tracking, working
from endpoints.services.datasets import reading
from endpoints.services.training_jobs import specs
from endpoints.services.training_jobs import working as training
from tests import cast
from tests.endpoints.api.client import post, problem_in, with_key
from tests.endpoints.services.datasets.files import raisins, stored

RUNS = "/api/v1/runs"


@pytest.fixture
def dana_api(dana: User) -> APIClient:
    return with_key(APIClient(), cast.new_key(dana)[1])


@pytest.fixture
def dataset(tmp_path: Path, db: None) -> Dataset:
    return stored(tmp_path, raisins(), "raisins.csv")


def train(api: APIClient, stored: Dataset, query: str = "", **asked: Any) -> Any:
    return post(api, f"{RUNS}{query}", {"dataset": stored.pk, "target": "Class"} | asked)


def send(api: APIClient, **fields: str) -> Any:
    file = SimpleUploadedFile("raisins.csv", raisins().encode())
    return api.post(RUNS, {"file": file, "target": "Class"} | fields)


def test_it_works(dana_api: APIClient, dataset: Dataset) -> None:
    response = train(dana_api, dataset, positive="Besni", experiment="by hand", name="first")
    body = response.json()
    assert (response.status_code, body["state"]) == (202, "queued")
    assert (body["name"], body["experiment"]) == ("first", "by hand")
    assert (body["dataset_id"], body["spec"]["positive"]) == (dataset.pk, "Besni")
    assert response["Location"] == body["url"]
    working.at(Run, body["id"], training.train)
    found = dana_api.get(body["url"]).json()
    assert (found["state"], found["converged"], found["problems"]) == ("finished", True, [])
    assert found["artifact"]["sha256"]


def test_cells_are_quoted_to_who_may_train(
    dana_api: APIClient, dev_key: str, dataset: Dataset
) -> None:
    address = train(dana_api, dataset).json()["url"]
    said = "expected a number, got 'Ada'"
    cell = {"row": 3, "column": "Area", "value": "'Ada'", "code": "wrong_type", "message": said}
    Run.objects.update(state="failed", message=f"line 3: {said}", problems=[cell])
    for place in (address, RUNS):
        told = [
            api.get(place).content.decode() for api in (dana_api, with_key(APIClient(), dev_key))
        ]
        assert all("line 3: expected a number" in text for text in told)
        assert ["Ada" in text for text in told] == [True, False]


def test_it_says_which_columns_were_left_out(dana_api: APIClient, tmp_path: Path, db: None) -> None:
    rows = "".join(f"{row},{row % 7}.5,{'ab'[row % 2]}\n" for row in range(40))
    numbered = stored(tmp_path, f"Id,Area,Class\n{rows}", "numbered.csv")
    by_itself, chosen = (
        train(dana_api, numbered, **asked).json() for asked in ({}, {"columns": ["Id"]})
    )
    assert by_itself["notes"] == []
    working.at(Run, by_itself["id"], training.train)
    assert dana_api.get(by_itself["url"]).json()["notes"] == [
        "Left out, since no columns were named: “Id” (it numbers the rows: it may be an identifier)."
    ]
    assert dana_api.get(chosen["url"]).json()["notes"] == []


def test_a_file_may_come_along(dana_api: APIClient, db: None) -> None:
    response = send(dana_api, solver="gd", epochs="20", columns="Area,Extent")
    body = response.json()
    assert (response.status_code, body["dataset"]["name"]) == (202, "raisins.csv")
    assert (body["spec"]["epochs"], body["spec"]["columns"]) == (20, ["Area", "Extent"])
    names = [
        bell.task_path.rpartition(".")[2] for bell in DBTaskResult.objects.order_by("enqueued_at")
    ]
    assert names == ["read_dataset", "train_run"]


def test_the_same_file_again_is_the_same_dataset(dana_api: APIClient, dataset: Dataset) -> None:
    assert send(dana_api).json()["dataset_id"] == dataset.pk


def test_a_dataset_is_named_by_its_checksum(dana_api: APIClient, dataset: Dataset) -> None:
    response = post(dana_api, RUNS, {"dataset": dataset.sha256, "target": "Class"})
    assert response.json()["dataset_id"] == dataset.pk


def test_it_tells_how_far_it_is(dana_api: APIClient, dataset: Dataset) -> None:
    url = train(dana_api, dataset, solver="gd", epochs=50).json()["url"]
    run = Run.objects.get()
    assert dana_api.get(url).json()["progress"] is None
    leases.claim(run, worker="w", now=cast.THEN)
    assert dana_api.get(url).json()["progress"] == {"iteration": 0, "of": 50, "loss": None}
    tracking.log_metrics(run, [("epoch_train_loss", step, 1 / step) for step in (1, 2, 4)])
    found = dana_api.get(f"{url}?series=1").json()
    assert found["progress"] == {"iteration": 4, "of": 50, "loss": 0.25}
    assert found["series"]["train_loss"] == [[1, 1.0], [2, 0.5], [4, 0.25]]


def test_wait_answers_when_it_has_ended(
    dana_api: APIClient, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def worker(seconds: float) -> None:
        working.at(Run, Run.objects.get().pk, training.train)

    monkeypatch.setattr("endpoints.api.waiting.time.sleep", worker)
    response = train(dana_api, dataset, "?wait=1")
    assert (response.status_code, response.json()["state"]) == (200, "finished")


@pytest.mark.parametrize("query", ["?wait=1&wait=2", "?wait=1&wait=1"])
def test_it_refuses_a_parameter_that_is_said_twice(
    dana_api: APIClient, dataset: Dataset, query: str
) -> None:
    problem = problem_in(train(dana_api, dataset, query), 400, "invalid_request")
    assert problem["detail"] == "wait is in the query more than once."
    assert problem["errors"][0]["field"] == "wait"
    assert not Run.objects.exists()


def test_the_positive_class_may_be_a_number(dana_api: APIClient, tmp_path: Path, db: None) -> None:
    numbers = stored(tmp_path, "x,y\n1,0\n2,1\n3,0\n4,1\n", "numbers.csv")
    working.at(Dataset, numbers.pk, reading.read)
    response = train(dana_api, numbers, target="y", positive=0)
    assert (response.status_code, response.json()["spec"]["positive"]) == (202, "0")
    problem = problem_in(train(dana_api, numbers, target="y", positive=2), 400, "invalid_request")
    assert problem["detail"] == '"2" is no class of "y".'


@pytest.mark.parametrize("field", ["dataset", "target", "positive", "experiment", "name", "solver"])
@pytest.mark.parametrize("value", [["a"], {"a": 1}, True])
def test_it_refuses_what_is_no_text(
    dana_api: APIClient, dataset: Dataset, field: str, value: Any
) -> None:
    problem = problem_in(train(dana_api, dataset, **{field: value}), 400, "invalid_request")
    assert [part["field"] for part in problem["errors"]] == [field]


def test_a_blank_experiment_is_the_usual_one(dana_api: APIClient, dataset: Dataset) -> None:
    body = train(dana_api, dataset, experiment="  ", name=" a\nb ").json()
    assert (body["experiment"], body["name"]) == ("default", "a b")


def test_cancel_ends_one_that_waits(dana_api: APIClient, dataset: Dataset) -> None:
    url = train(dana_api, dataset).json()["url"]
    response = post(dana_api, f"{url}/cancel", {})
    assert (response.status_code, response.json()["state"]) == (200, "cancelled")


def test_cancel_asks_one_under_way(dana_api: APIClient, dataset: Dataset) -> None:
    url = train(dana_api, dataset).json()["url"]
    leases.claim(Run.objects.get(), worker="w", now=cast.THEN)
    response = post(dana_api, f"{url}/cancel", {})
    assert (response.status_code, response.json()["state"]) == (202, "running")
    assert response.json()["cancel_requested_at"]


def test_cancel_refuses_one_that_has_ended(dana_api: APIClient, db: None) -> None:
    run = cast.trained_run()
    problem_in(post(dana_api, f"{RUNS}/{run.pk}/cancel", {}), 409, "invalid_transition")


def test_again_trains_the_same(dana_api: APIClient, dataset: Dataset) -> None:
    first = train(dana_api, dataset, solver="gd").json()
    response = post(dana_api, f"{first['url']}/again", {})
    second = response.json()
    assert (response.status_code, second["spec"]) == (202, first["spec"])
    assert second["id"] != first["id"]


def test_the_same_request_again_is_the_same_run(dana_api: APIClient, dataset: Dataset) -> None:
    key = {"Idempotency-Key": "nightly"}
    body = {"dataset": dataset.pk, "target": "Class"}
    first, second = (post(dana_api, "/api/v1/runs", body, **key).data["id"] for _ in range(2))
    assert first == second
    assert post(dana_api, "/api/v1/runs", body).data["id"] != first
    path = f"/api/v1/runs/{first}/again"
    assert len({post(dana_api, path, {}, **key).data["id"] for _ in range(2)} | {first}) == 2


def test_every_wrong_field_is_named(dana_api: APIClient, dataset: Dataset) -> None:
    response = train(dana_api, dataset, target=7, solver="gd", epochs=0, deph=3)
    problem = problem_in(response, 400, "invalid_request")
    assert {part["field"] for part in problem["errors"]} == {"target", "epochs", "deph"}
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "There is no file"),
        (b"a,b\n1,2\n", "Line 1"),
        (b"[]", "The body is not a JSON object."),
        (b'{"target": "x"}', "dataset is missing"),
        (b'{"dataset": "x", "target": "y", "lr": NaN}', "lr must be a finite number, not NaN"),
        (b'{"dataset": "x", "target": "y", "name": "a\\u0000"}', "name is a text"),
        (b'{"dataset": "x", "target": "y\\u0000"}', "target is a text"),
    ],
)
def test_it_refuses_other_bodies(dana_api: APIClient, db: None, body: bytes, message: str) -> None:
    response = post(dana_api, RUNS, body)
    assert response.status_code == 400
    assert response.json()["detail"].startswith(message)


def test_it_refuses_a_body_of_json_that_is_too_large(dana_api: APIClient, settings: Any) -> None:
    settings.RAISIN_MAX_BODY_BYTES = 10
    problem_in(post(dana_api, RUNS, {"dataset": "x" * 20}), 413, "too_large")


def test_it_refuses_a_dataset_that_is_not_there(dana_api: APIClient, db: None) -> None:
    response = post(dana_api, RUNS, {"dataset": "0123", "target": "Class"})
    problem_in(response, 404, "not_found")


def test_it_refuses_a_dataset_that_cannot_be_read(dana_api: APIClient, dataset: Dataset) -> None:
    Dataset.objects.update(state="failed", message="line 2: too long")
    problem_in(train(dana_api, dataset), 422, "invalid_data")


def test_it_keeps_no_file_for_what_cannot_be_trained(
    dana_api: APIClient, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(specs, "find_spec", lambda name: None)
    problem_in(send(dana_api, algorithm="random_forest"), 400, "invalid_request")
    assert not Dataset.objects.exists()


def test_it_refuses_who_may_not_train(dev_key: str, dataset: Dataset) -> None:
    problem_in(train(with_key(APIClient(), dev_key), dataset), 403, "not_allowed")


def test_runs_are_narrowed_down_by_state(dana_api: APIClient, dataset: Dataset) -> None:
    train(dana_api, dataset)
    cast.trained_run()
    results = dana_api.get(f"{RUNS}?state=queued").json()["results"]
    assert [found["state"] for found in results] == ["queued"]

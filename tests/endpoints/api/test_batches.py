"""Files to score over REST: sent as a form or as they are, by whom, to which version, and what is refused."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from rest_framework.test import APIClient

from endpoints.api import waiting
from endpoints.models import BatchJob, Endpoint
from endpoints.services import lifecycle, pausing, rates, snapshots, uploads
from endpoints.services.batches import folders
from tests import cast
from tests.endpoints.api.client import problem_in, with_key
from tests.endpoints.api.test_file_bodies import form, part
from tests.endpoints.services.decisions import decision

pytestmark = pytest.mark.django_db

SEND = "/api/v1/batch-predict"
TABLE = b"Area,Perimeter\n87524,1184.04\n"


@pytest.fixture
def program(dev_key: str) -> APIClient:
    return with_key(APIClient(), dev_key)


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PAUSE", 10.0)


def send(api: APIClient, body: bytes = TABLE, asked: str = "endpoint=raisin") -> HttpResponse:
    return api.generic("POST", f"{SEND}?{asked}", body, content_type="text/csv")


def sent(api: APIClient, asked: str = "endpoint=raisin", body: bytes = TABLE) -> BatchJob:
    response = send(api, body, asked)
    assert response.status_code == 202, response.json()
    return BatchJob.objects.get(pk=response.json()["id"])


def test_it_works(program: APIClient, raisin: Endpoint) -> None:
    response = send(program, asked="endpoint=raisin&name=grains.csv")
    told = response.json()
    assert response.status_code == 202, told
    job = BatchJob.objects.get()
    assert response["Location"] == told["url"] == f"http://testserver/api/v1/batches/{job.pk}"
    assert (told["id"], told["state"]) == (job.pk, "uploaded")
    assert (told["endpoint"], told["version"]) == ("raisin", 1)
    assert told["file"] == {
        "name": "grains.csv",
        "format": "csv",
        "size": len(TABLE),
        "sha256": hashlib.sha256(TABLE).hexdigest(),
    }
    assert (told["created_by"], told["check"], told["report"]) == ("key tests of dev", None, None)
    assert program.get(told["url"]).json() == told


def test_the_file_is_kept_as_it_came(program: APIClient, raisin: Endpoint) -> None:
    job = sent(program)
    assert folders.upload(job).read_bytes() == TABLE
    assert list(uploads.home().glob("received-*")) == []


def test_the_same_request_again_is_the_same_job(program: APIClient, raisin: Endpoint) -> None:
    def ask(body: bytes, **headers: str) -> str:
        kind, path = "text/csv", f"{SEND}?endpoint=raisin"
        return str(
            program.generic("POST", path, body, content_type=kind, headers=headers).json()["id"]
        )

    key = {"Idempotency-Key": "nightly"}
    first = ask(TABLE, **key)
    assert ask(TABLE, **key) == first
    assert ask(TABLE + TABLE, **key) != first
    assert ask(TABLE) != first


@pytest.mark.parametrize("wish", ["", "&status=production"])
def test_a_promotion_between_makes_no_second_job(
    wish: str, program: APIClient, raisin: Endpoint
) -> None:
    def ask() -> str:
        path, key = f"{SEND}?endpoint=raisin{wish}", {"Idempotency-Key": "nightly"}
        answer = program.generic("POST", path, TABLE, content_type="text/csv", headers=key)
        return str(answer.json()["id"])

    first = ask()
    lifecycle.promote(version=raisin.versions.get(number=2), decision=decision())
    assert snapshots.read(raisin).version(None, None).number == 2
    assert ask() == first


def test_it_starts_by_itself(program: APIClient, raisin: Endpoint) -> None:
    assert sent(program).starts_itself


def test_a_form_says_it_all(program: APIClient, raisin: Endpoint) -> None:
    said = {
        "endpoint": b"raisin",
        "version": b"v2",
        "label_column": b"Class",
        "mapping": b'{"Area": "area in px"}',
        "store_labels": b"true",
    }
    fields = [part(name, value) for name, value in said.items()]
    body = form(*fields, part("file", TABLE, file="grains.csv"))
    job = sent(program, asked="", body=body)
    assert (job.version.number, job.file_name) == (2, "grains.csv")
    assert (job.label_column, job.mapping) == ("Class", {"Area": "area in px"})
    assert (job.log_rows, job.store_labels) == (True, True)


def test_so_does_the_address(program: APIClient, raisin: Endpoint) -> None:
    job = sent(program, "endpoint=raisin&status=staging&log=0&label_column=Class")
    assert (job.version.number, job.label_column) == (2, "Class")
    assert (job.log_rows, job.store_labels) == (False, False)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("version=9", "“raisin” has no version 9."),
        ("status=testing", "“raisin” has no version in testing."),
        ("version=1&status=staging", "v1 is in production, not in staging."),
        ("endpoint=sultana", "There is no endpoint “sultana”."),
    ],
)
def test_it_refuses_what_is_not_there(
    program: APIClient, raisin: Endpoint, asked: str, words: str
) -> None:
    asked = asked if "endpoint" in asked else f"endpoint=raisin&{asked}"
    assert problem_in(send(program, asked=asked), 404, "not_found")["detail"] == words
    assert not BatchJob.objects.exists()


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("version=new", "version"),
        ("status=archived", "status"),
        ("log=perhaps", "log"),
        ("store_labels=2", "store_labels"),
        ("mapping=[1]", "mapping"),
        ('mapping={"Area": 1}', "mapping"),
        ("label_column=%00", "label_column"),
        ("wait=11", "wait"),
        ("wait=-1", "wait"),
        ("labels=Class", "labels"),
    ],
)
def test_it_refuses_what_it_cannot_read(
    program: APIClient, raisin: Endpoint, asked: str, field: str
) -> None:
    problem = problem_in(send(program, asked=f"endpoint=raisin&{asked}"), 400, "invalid_request")
    assert [part["field"] for part in problem["errors"]] == [field]


def test_it_refuses_a_mapping_that_is_no_json(program: APIClient, raisin: Endpoint) -> None:
    problem = problem_in(send(program, asked="endpoint=raisin&mapping={"), 400, "invalid_request")
    assert problem["detail"].startswith("mapping is not JSON: Line 1")


def test_it_refuses_to_be_told_two_things(program: APIClient, raisin: Endpoint) -> None:
    body = form(part("endpoint", b"raisin"), part("log", b"1"), part("file", TABLE, file="a.csv"))
    problem = problem_in(send(program, body, "endpoint=raisin&log=0"), 400, "invalid_request")
    assert problem["detail"] == "“log” is one thing in the address and another in the form."
    assert send(program, body, "endpoint=raisin").status_code == 202


def test_it_refuses_a_file_for_no_endpoint(program: APIClient, raisin: Endpoint) -> None:
    problem = problem_in(send(program, asked=""), 400, "invalid_request")
    assert [part["field"] for part in problem["errors"]] == ["endpoint"]


def test_it_refuses_an_empty_file(program: APIClient, raisin: Endpoint) -> None:
    body = form(part("file", b"", file="grains.csv"))
    for nothing in (b"", body):
        problem_in(send(program, nothing), 400, "invalid_request")


def test_it_refuses_a_large_file(program: APIClient, raisin: Endpoint, settings: Any) -> None:
    settings.RAISIN_MAX_FILE_BYTES = len(TABLE) - 1
    problem_in(send(program), 413, "too_large")


def test_it_refuses_where_the_endpoint_is_paused(program: APIClient, raisin: Endpoint) -> None:
    pausing.pause(endpoint=raisin, reason="checks", actor=cast.SYSTEM, now=cast.THEN)
    problem_in(send(program), 503, "no_model")


@pytest.mark.parametrize("asked", ["endpoint=raisin", ""])
def test_nobody_unknown_sends_a_file(api: APIClient, raisin: Endpoint, asked: str) -> None:
    """Not even where predictions are public: somebody must be there to fetch the results."""
    problem_in(send(api, asked=asked), 401, "not_authenticated")


@pytest.mark.parametrize("asked", ["endpoint=raisin", ""])
def test_it_refuses_who_may_not_predict(dev: User, raisin: Endpoint, asked: str) -> None:
    Endpoint.objects.update(public_predictions=False)
    reader = with_key(APIClient(), cast.new_key(dev, scopes=["read"])[1])
    problem_in(send(reader, asked=asked), 403, "not_allowed")


def test_whoever_is_known_sends_files_to_a_public_endpoint(eve: User, raisin: Endpoint) -> None:
    eve_logged_in = APIClient()
    eve_logged_in.force_login(eve)
    assert sent(eve_logged_in).created_by == eve


def test_it_refuses_labels_of_who_may_not_label(dev: User, raisin: Endpoint) -> None:
    Endpoint.objects.update(public_predictions=False)
    asker = with_key(APIClient(), cast.new_key(dev, scopes=["predict"])[1])
    asked = "endpoint=raisin&label_column=Class&store_labels=1"
    problem_in(send(asker, asked=asked), 403, "not_allowed")


def test_it_counts_as_a_request_of_the_key(
    dev: User, raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "_buckets", rates.Buckets(lambda: 0.0))
    key, text = cast.new_key(dev)
    key.rate = 0.5
    key.save()
    program = with_key(APIClient(), text)
    assert send(program).status_code == 202
    problem_in(send(program), 429, "too_many_requests")
    body = form(part("endpoint", b"raisin"), part("file", TABLE, file="grains.csv"))
    problem_in(send(program, body, asked=""), 429, "too_many_requests")


@pytest.mark.parametrize(
    ("state", "status"),
    [("done", 200), ("failed", 200), ("needs_attention", 200), ("uploaded", 202), ("scoring", 202)],
)
def test_who_waits_learns_what_became_of_it(
    program: APIClient,
    raisin: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    status: int,
) -> None:
    """A worker has done so much by the time of the second look."""
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        BatchJob.objects.update(state=state)

    monkeypatch.setattr(waiting.time, "sleep", sleep)
    response = send(program, asked="endpoint=raisin&wait=10")
    assert (response.status_code, response.json()["state"]) == (status, state)
    assert looks == [10.0]


@pytest.mark.parametrize(("token", "status"), [("a" * 32, 202), ("b" * 32, 403)])
def test_a_person_sends_a_file_with_the_token_of_their_session(
    dana: User, raisin: Endpoint, token: str, status: int
) -> None:
    person = APIClient(enforce_csrf_checks=True)
    person.force_login(dana)
    person.cookies["csrftoken"] = "a" * 32
    body = form(part("endpoint", b"raisin"), part("file", TABLE, file="grains.csv"))
    person.credentials(HTTP_X_CSRFTOKEN=token)
    assert send(person, body, asked="").status_code == status

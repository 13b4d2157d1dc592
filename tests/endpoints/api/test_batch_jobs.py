"""Batches that were sent: listed, read, mended, cancelled, scored again, fetched and deleted over REST."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from endpoints.models import ApiKey, BatchJob, Endpoint
from endpoints.services import doorbell
from endpoints.services.batches import folders
from tests import cast
from tests.dashboard.batch_jobs import COLUMNS, STATES, a_job
from tests.endpoints.api.client import post, problem_in, with_key
from tests.live import ROW

pytestmark = pytest.mark.django_db

BATCHES = "/api/v1/batches"
RESULTS = b"id,Area,probability,label,version,error\ng=1,=1+1,0.75,Besni,v1,\n"


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The jobs that a worker was told of."""
    heard: list[str] = []
    monkeypatch.setattr(doorbell, "ring", lambda job: heard.append(job.pk))
    return heard


@pytest.fixture
def program(dev_key: str) -> APIClient:
    return with_key(APIClient(), dev_key)


@pytest.fixture
def dana_logged_in(dana: User) -> APIClient:
    client = APIClient()
    client.force_login(dana)
    return client


def its_job(endpoint: Endpoint, state: str = "ready", **facts: Any) -> BatchJob:
    """Return a job of the program."""
    return a_job(endpoint, None, state, **{"key": ApiKey.objects.get()} | facts)


def with_file(job: BatchJob, content: bytes = RESULTS, *, name: str = "results") -> BatchJob:
    path: Path = getattr(folders, name)(job)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return job


def path(job: BatchJob, verb: str = "") -> str:
    return f"{BATCHES}/{job.pk}{'/' if verb else ''}{verb}"


def fetched(response: HttpResponse) -> bytes:
    assert isinstance(response, StreamingHttpResponse)
    return b"".join(response.streaming_content)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", STATES)
def test_a_job_tells_of_itself_in_every_state(
    program: APIClient, raisin: Endpoint, state: str
) -> None:
    job = its_job(raisin, state)
    told = program.get(path(job)).json()
    assert (told["id"], told["state"], told["file"]["name"]) == (job.pk, state, "grains.csv")
    job.refresh_from_db()
    assert (told["check"], told["report"]) == (job.check_report or None, job.report or None)
    assert (told["rows"], told["rows_done"]) == (job.rows, job.rows_done)


@pytest.mark.parametrize(
    ("state", "may"),
    [
        ("uploaded", {"cancel"}),
        ("needs_attention", {"start", "cancel", "rerun"}),
        ("scoring", {"cancel", "rerun"}),
        ("done", {"rerun", "results", "errors"}),
        ("failed", {"rerun"}),
        ("expired", set()),
    ],
)
def test_links_lead_to_what_may_be_asked_for(
    program: APIClient, raisin: Endpoint, state: str, may: set[str]
) -> None:
    links = program.get(path(its_job(raisin, state))).json()["links"]
    assert {name for name, link in links.items() if link} == may
    for name in may:
        assert links[name].endswith(f"/{name}")


def test_a_failed_job_names_the_places(program: APIClient, raisin: Endpoint) -> None:
    place = {"row": 3, "column": "Area", "code": "bad", "message": "no number", "value": "x"}
    job = its_job(raisin, "failed", problems=[place])
    assert program.get(path(job)).json()["problems"] == [place]


def test_the_list_has_the_newest_first_and_no_reports(program: APIClient, raisin: Endpoint) -> None:
    now = timezone.now()
    jobs = [its_job(raisin, "done", created_at=now - timedelta(hours=h)) for h in (2, 1)]
    found = program.get(BATCHES).json()["results"]
    assert [one["id"] for one in found] == [job.pk for job in reversed(jobs)]
    one = program.get(path(jobs[1])).json()
    more = {"reading", "mapping", "check", "report", "problems"}
    assert found[0] == {name: value for name, value in one.items() if name not in more}
    assert more <= one.keys()


def test_the_list_comes_in_pages(program: APIClient, raisin: Endpoint) -> None:
    now = timezone.now()
    ids = [its_job(raisin, created_at=now - timedelta(hours=hour)).pk for hour in range(3)]
    page = program.get(f"{BATCHES}?limit=2").json()
    assert [one["id"] for one in page["results"]] == ids[:2]
    assert [one["id"] for one in program.get(page["next"]).json()["results"]] == ids[2:]


def test_the_list_is_narrowed_down(program: APIClient, raisin: Endpoint) -> None:
    other = cast.an_endpoint("other")
    version = cast.registered_version(other)
    elsewhere = its_job(other, "done", version=version)
    ready, done = its_job(raisin), its_job(raisin, "done")

    def ids(asked_for: str) -> set[str]:
        return {one["id"] for one in program.get(f"{BATCHES}?{asked_for}").json()["results"]}

    assert ids("endpoint=raisin") == {ready.pk, done.pk}
    assert ids("state=done") == {elsewhere.pk, done.pk}
    assert ids("state=done&endpoint=raisin") == {done.pk}


def test_it_refuses_an_endpoint_or_state_that_is_not_there(
    program: APIClient, raisin: Endpoint
) -> None:
    problem_in(program.get(f"{BATCHES}?endpoint=sultana"), 404, "not_found")
    problem_in(program.get(f"{BATCHES}?state=finished"), 400, "invalid_request")


def test_a_list_of_any_length_asks_as_often(
    program: APIClient, raisin: Endpoint, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    its_job(raisin, "done")
    program.get(BATCHES)  # the key's last use is written down now and then
    with CaptureQueriesContext(connection) as alone:
        program.get(BATCHES)
    for _ in range(4):
        its_job(raisin, "done")
    with django_assert_num_queries(len(alone)):
        assert len(program.get(BATCHES).json()["results"]) == 5


@pytest.mark.parametrize(
    ("method", "verb"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "start"),
        ("POST", "cancel"),
        ("POST", "rerun"),
        ("GET", "results"),
        ("GET", "errors"),
    ],
)
def test_a_job_of_somebody_else_is_not_there(
    program: APIClient, raisin: Endpoint, alex: User, method: str, verb: str
) -> None:
    job = a_job(raisin, alex, "done")
    response = program.generic(method, path(job, verb))
    assert problem_in(response, 404, "not_found")["detail"] == f"There is no batch job “{job.pk}”."


def test_who_may_see_inputs_sees_the_jobs_of_all(
    dana_logged_in: APIClient, raisin: Endpoint, alex: User
) -> None:
    job = a_job(raisin, alex, "done")
    assert [one["id"] for one in dana_logged_in.get(BATCHES).json()["results"]] == [job.pk]
    assert dana_logged_in.get(path(job)).json()["created_by"] == "alex"


def test_start_takes_a_mapping(program: APIClient, raisin: Endpoint, rung: list[str]) -> None:
    job = its_job(raisin, "needs_attention")
    columns = {"Area": "area_px", "MajorAxisLength": "length"}
    response = post(program, path(job, "start"), {"mapping": columns})
    assert (response.status_code, response.json()["state"]) == (202, "queued")
    assert response["Location"] == f"http://testserver{path(job)}"
    assert response.json()["mapping"] == {name: columns.get(name, name) for name in ROW}
    assert rung == [job.pk]


def test_start_leaves_what_is_left_out(
    program: APIClient, raisin: Endpoint, rung: list[str]
) -> None:
    facts = {"label_column": "Class", "log_rows": True, "store_labels": True}
    job = its_job(raisin, **facts)
    told = program.post(path(job, "start")).json()
    assert (told["label_column"], told["log"], told["store_labels"]) == ("Class", True, True)
    other = its_job(raisin, **facts)
    body = {"label_column": "", "log": False, "store_labels": False}
    told = post(program, path(other, "start"), body).json()
    assert (told["label_column"], told["log"], told["store_labels"]) == ("", False, False)


@pytest.mark.parametrize(
    "body",
    [{"mapping": {}}, {"mapping": {"Area": "area_px"}}, {"mapping": {"Shape": "Area"}}],
)
def test_it_refuses_a_mapping_that_is_not_whole(
    program: APIClient, raisin: Endpoint, body: dict[str, Any]
) -> None:
    job = its_job(raisin, "needs_attention")
    problem_in(post(program, path(job, "start"), body), 400, "invalid_request")
    job.refresh_from_db()
    assert job.state == "needs_attention"


def test_start_refuses_other_choices_where_rows_are_scored(
    program: APIClient, raisin: Endpoint, rung: list[str]
) -> None:
    job = its_job(raisin, cursor={"row": 1_500}, rows_done=1_500)
    said = problem_in(post(program, path(job, "start"), {"log": False}), 409, "conflict")["detail"]
    assert "other choices, up to row 1,500" in said
    told = post(program, path(job, "start"), {"log": True}).json()
    assert (told["state"], rung) == ("queued", [job.pk])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"mapping": ["Area"]}, "mapping"),
        ({"mapping": {"Area": None}}, "mapping"),
        ({"mapping": {"Area": "x" * 501}}, "mapping"),
        ({"log": "yes"}, "log"),
        ({"columns": {}}, "columns"),
    ],
)
def test_start_refuses_what_it_cannot_read(
    program: APIClient, raisin: Endpoint, body: dict[str, Any], field: str
) -> None:
    job = its_job(raisin)
    problem = problem_in(post(program, path(job, "start"), body), 400, "invalid_request")
    assert [part["field"] for part in problem["errors"]] == [field]


@pytest.mark.parametrize(
    ("method", "verb", "state"),
    [
        ("POST", "start", "done"),
        ("POST", "start", "queued"),
        ("POST", "cancel", "done"),
        ("POST", "rerun", "expired"),
        ("POST", "rerun", "uploaded"),
        ("DELETE", "", "scoring"),
        ("GET", "results", "scoring"),
        ("GET", "errors", "needs_attention"),
    ],
)
def test_it_refuses_what_the_state_does_not_allow(
    program: APIClient, raisin: Endpoint, method: str, verb: str, state: str
) -> None:
    response = program.generic(method, path(its_job(raisin, state), verb))
    assert problem_in(response, 409, "conflict")["detail"].startswith("Th")


def test_cancel_ends_a_job_that_waits(program: APIClient, raisin: Endpoint) -> None:
    response = program.post(path(its_job(raisin), "cancel"))
    assert (response.status_code, response.json()["state"]) == (200, "cancelled")


def test_cancel_asks_the_worker_of_one_under_way(program: APIClient, raisin: Endpoint) -> None:
    response = program.post(path(its_job(raisin, "scoring", worker="w"), "cancel"))
    told = response.json()
    assert (response.status_code, told["state"]) == (202, "scoring")
    assert told["cancel_requested_at"] is not None


@pytest.mark.parametrize(
    ("body", "number"), [({}, 1), ({"version": 2}, 2), ({"status": "staging"}, 2)]
)
def test_rerun_scores_the_same_file_by_another_version(
    program: APIClient, raisin: Endpoint, rung: list[str], body: dict[str, Any], number: int
) -> None:
    job = with_file(its_job(raisin, "done"), name="source")
    response = post(program, path(job, "rerun"), body)
    told = response.json()
    assert (response.status_code, told["rerun_of"], told["version"]) == (202, job.pk, number)
    assert told["id"] != job.pk and response["Location"] == told["url"]
    assert folders.source(BatchJob.objects.get(pk=told["id"])).read_bytes() == RESULTS
    assert rung == [told["id"]]


def test_rerun_asked_for_again_is_the_same_job(program: APIClient, raisin: Endpoint) -> None:
    job, key = with_file(its_job(raisin, "done"), name="source"), {"Idempotency-Key": "again-1"}
    asked = [post(program, path(job, "rerun"), {}, **key).json()["id"] for _ in range(2)]
    assert asked[0] == asked[1]
    assert BatchJob.objects.count() == 2


def test_rerun_refuses_a_version_that_is_not_there(program: APIClient, raisin: Endpoint) -> None:
    job = with_file(its_job(raisin, "done"), name="source")
    problem_in(post(program, path(job, "rerun"), {"version": 9}), 404, "not_found")


def test_delete_takes_the_files_and_leaves_the_job(program: APIClient, raisin: Endpoint) -> None:
    job = with_file(its_job(raisin, "done"))
    assert program.delete(path(job)).status_code == 204
    assert not folders.folder(job).exists()
    told = program.get(path(job)).json()
    assert (told["state"], told["report"]["rows"]) == ("expired", 12_480)
    problem_in(program.get(path(job, "results")), 410, "gone")


def test_the_files_of_an_expired_job_are_gone(program: APIClient, raisin: Endpoint) -> None:
    job = its_job(raisin, "expired")
    for verb in ("results", "errors"):
        problem_in(program.get(path(job, verb)), 410, "gone")


def test_results_run_nothing_in_a_spreadsheet(program: APIClient, raisin: Endpoint) -> None:
    job = with_file(its_job(raisin, "done", reading={"columns": COLUMNS, "delimiter": ","}))
    response = program.get(path(job, "results"))
    assert fetched(response) == RESULTS.replace(b"=1+1", b"'=1+1")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="grains-v1.csv"'
    assert "Content-Length" not in response


def test_results_as_they_are_tell_their_length(program: APIClient, raisin: Endpoint) -> None:
    response = program.get(path(with_file(its_job(raisin, "done")), "results") + "?as_is=true")
    assert fetched(response) == RESULTS
    assert response["Content-Length"] == str(len(RESULTS))


def test_parquet_results_are_as_they_are(program: APIClient, raisin: Endpoint) -> None:
    facts = {"format": "parquet", "file_name": "grains.PARQUET"}
    job = with_file(its_job(raisin, "done", **facts), b"PAR1")
    response = program.get(path(job, "results"))
    assert fetched(response) == b"PAR1"
    assert response["Content-Type"] == "application/vnd.apache.parquet"
    assert response["Content-Disposition"] == 'attachment; filename="grains-v1.parquet"'
    assert response["Content-Length"] == "4"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ('a"b\r\nX-Evil: 1;.csv', "a_b_X-Evil_1-v1.csv"),
        ("Trauben März.csv.gz", "filename*=utf-8''Trauben_M%C3%A4rz-v1.csv"),
        (".csv", "batch-v1.csv"),
        ("...", "batch-v1.csv"),
        ("x" * 200, f"{'x' * 100}-v1.csv"),
    ],
)
def test_the_name_of_a_download_is_safe(
    program: APIClient, raisin: Endpoint, name: str, safe: str
) -> None:
    job = with_file(its_job(raisin, "done", file_name=name))
    assert safe in program.get(path(job, "results") + "?as_is=1")["Content-Disposition"]


def test_errors_are_a_csv(program: APIClient, raisin: Endpoint) -> None:
    content = b"row,column,value,problem\n3,Area,=1+1,is no number\n"
    job = with_file(its_job(raisin, "done"), content, name="errors")
    response = program.get(path(job, "errors"))
    assert fetched(response) == content.replace(b"=1+1", b"'=1+1")
    assert response["Content-Disposition"] == 'attachment; filename="grains-v1-errors.csv"'


def test_a_template_has_the_columns_and_a_typical_row(api: APIClient, raisin: Endpoint) -> None:
    """Whoever may predict may have it, so at a public endpoint anybody."""
    response = api.get("/api/v1/raisin/batch-template")
    header, row = response.content.decode().split()
    assert header == ",".join(ROW)
    assert [float(cell) for cell in row.split(",")]
    name = 'attachment; filename="raisin-v1-template.csv"'
    assert response["Content-Disposition"] == name
    other = api.get("/api/v1/raisin/batch-template?version=v2")
    assert other["Content-Disposition"] == name.replace("v1", "v2")


def test_a_template_is_not_for_everybody(api: APIClient, raisin: Endpoint) -> None:
    Endpoint.objects.update(public_predictions=False)
    problem_in(api.get("/api/v1/raisin/batch-template"), 401, "not_authenticated")

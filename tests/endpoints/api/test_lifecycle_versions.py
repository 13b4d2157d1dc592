"""Versions over REST: registered from a run or a bundle, written about, and handed out again."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test.client import encode_multipart
from rest_framework.test import APIClient

from endpoints.models import AlgorithmVersion, Endpoint, Event, Run
from endpoints.services import artifacts
from mlcore import artifact
from tests.cast import an_endpoint, new_key, trained_run
from tests.endpoints.api.client import post, problem_in, send, with_key

pytestmark = pytest.mark.django_db

VERSIONS = "/api/v1/endpoints/raisin/versions"


@pytest.fixture
def scientist(dana: User) -> APIClient:
    return with_key(APIClient(), new_key(dana)[1])


def bundle_of(run: Run, tmp_path: Path) -> bytes:
    file = tmp_path / "bundle.zip"
    artifact.copy(artifacts.folder(run), file)
    return file.read_bytes()


@pytest.fixture
def bundle(raisin: Endpoint, tmp_path: Path) -> bytes:
    """Return a model that nobody has registered."""
    return bundle_of(trained_run(lambda_=0.5), tmp_path)


def upload(api: APIClient, body: bytes, query: str = "", **headers: str) -> HttpResponse:
    return api.generic(
        "POST", f"{VERSIONS}{query}", body, content_type="application/zip", headers=headers
    )


def test_it_registers_a_run(scientist: APIClient, raisin: Endpoint, dana: User) -> None:
    run = trained_run()
    response = post(scientist, VERSIONS, {"run": run.pk, "note": "more rows"})
    version = response.json()
    assert response.status_code == 201, version
    assert (version["version"], version["status"], version["note"]) == (3, "testing", "more rows")
    assert (version["run_id"], version["uploaded"]) == (run.pk, False)
    assert [step["verb"] for step in version["history"]] == ["register"]
    assert AlgorithmVersion.objects.get(number=3).created_by == dana


def test_a_registration_sent_again_registers_once(scientist: APIClient, raisin: Endpoint) -> None:
    body, key = {"run": trained_run().pk}, {"Idempotency-Key": "nightly"}
    first, again = (post(scientist, VERSIONS, body, **key).json() for _ in range(2))
    assert first == again
    assert raisin.versions.count() == 3


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"run": 7},
        {"run": None},
        {"run": ""},
        {"note": "x"},
        {"run": "x", "status": "production"},
    ],
)
def test_it_refuses_a_body(scientist: APIClient, raisin: Endpoint, body: Any) -> None:
    problem_in(post(scientist, VERSIONS, body), 400, "invalid_request")


def test_it_refuses_an_unknown_run(scientist: APIClient, raisin: Endpoint) -> None:
    problem_in(post(scientist, VERSIONS, {"run": "0" * 32}), 404, "not_found")


def test_it_refuses_a_run_that_failed(scientist: APIClient, raisin: Endpoint) -> None:
    run = trained_run()
    Run.objects.filter(pk=run.pk).update(state="failed")
    problem_in(post(scientist, VERSIONS, {"run": run.pk}), 409, "invalid_transition")


def test_it_refuses_who_may_not_register(api: APIClient, alex: User, raisin: Endpoint) -> None:
    with_key(api, new_key(alex)[1])
    problem = problem_in(post(api, VERSIONS, {"run": trained_run().pk}), 403, "not_allowed")
    assert "endpoints.register_version" in problem["error"]


def test_it_registers_a_bundle(scientist: APIClient, raisin: Endpoint, bundle: bytes) -> None:
    response = upload(scientist, bundle, "?name=from+elsewhere&note=theirs")
    version = response.json()
    assert response.status_code == 201, version
    assert (version["version"], version["uploaded"], version["note"]) == (3, True, "theirs")
    assert Run.objects.get(pk=version["run_id"]).name == "from elsewhere"


def test_claims_stand_apart_from_what_was_measured_here(
    scientist: APIClient, raisin: Endpoint, bundle: bytes
) -> None:
    number = upload(scientist, bundle).json()["version"]
    found = scientist.get(f"{VERSIONS}/{number}").json()
    assert found["uploaded"]
    assert found["metrics"]["validation"]["accuracy"] > 0.8
    [measured] = found["evaluations"]
    assert (measured["rows"], measured["by"]) == (180, "key tests of dana")
    assert 0.8 < measured["metrics"]["accuracy"] < 1.0


def test_a_bundle_is_known_by_its_first_bytes(
    scientist: APIClient, raisin: Endpoint, bundle: bytes
) -> None:
    assert post(scientist, VERSIONS, bundle).status_code == 201


def test_what_is_downloaded_can_be_uploaded_elsewhere(
    scientist: APIClient, raisin: Endpoint
) -> None:
    an_endpoint("other")
    body = b"".join(scientist.get(f"{VERSIONS}/1/bundle").streaming_content)
    path = "/api/v1/endpoints/other/versions"
    made = post(scientist, path, body).json()
    sha256 = scientist.get(f"{VERSIONS}/1").json()["artifact"]["sha256"]
    assert made["artifact"]["sha256"] == sha256


@pytest.mark.parametrize("body", [b"PK", b"PK\x03\x04", b"PK" + b"\x00" * 1_000])
def test_it_refuses_a_damaged_bundle(scientist: APIClient, raisin: Endpoint, body: bytes) -> None:
    response = upload(scientist, body)
    problem_in(response, 422, "invalid_bundle")
    assert raisin.versions.count() == 2


def test_a_form_with_a_bundle_is_told_how_to_send_it(
    scientist: APIClient, raisin: Endpoint, bundle: bytes
) -> None:
    form = encode_multipart("x", {"file": SimpleUploadedFile("model.zip", bundle)})
    answer = scientist.generic(
        "POST", VERSIONS, form, content_type="multipart/form-data; boundary=x"
    )
    assert "--data-binary @model.zip" in problem_in(answer, 400, "invalid_request")["detail"]


def test_it_refuses_a_bundle_that_is_too_large(
    scientist: APIClient, raisin: Endpoint, bundle: bytes, settings: Any
) -> None:
    settings.RAISIN_MAX_UPLOAD_BYTES = len(bundle) - 1
    problem_in(upload(scientist, bundle), 413, "too_large")
    settings.RAISIN_MAX_UPLOAD_BYTES = len(bundle)
    assert upload(scientist, bundle).status_code == 201


def test_json_keeps_its_own_limit(scientist: APIClient, raisin: Endpoint) -> None:
    body = b'{"run": "' + b"x" * 1_048_576 + b'"}'
    problem_in(post(scientist, VERSIONS, body), 413, "too_large")


@pytest.mark.parametrize("query", ["?note=%00", "?name=" + "x" * 121, "?run=1"])
def test_it_refuses_parameters(
    scientist: APIClient, raisin: Endpoint, bundle: bytes, query: str
) -> None:
    problem_in(upload(scientist, bundle, query), 400, "invalid_request")


def test_it_refuses_parameters_beside_a_run(scientist: APIClient, raisin: Endpoint) -> None:
    body = {"run": trained_run().pk}
    problem_in(post(scientist, f"{VERSIONS}?note=x", body), 400, "invalid_request")


def test_it_hands_out_the_bundle(scientist: APIClient, raisin: Endpoint, tmp_path: Path) -> None:
    response = scientist.get(f"{VERSIONS}/1/bundle")
    assert (response.status_code, response["Content-Type"]) == (200, "application/zip")
    assert response["Content-Disposition"] == 'attachment; filename="raisin-v1.zip"'
    body = b"".join(response.streaming_content)
    with zipfile.ZipFile(io.BytesIO(body)) as file:
        model = file.read("model.json")
    assert response["ETag"] == f'"{hashlib.sha256(model).hexdigest()}"'
    same = scientist.get(f"{VERSIONS}/1/bundle", headers={"If-None-Match": response["ETag"]})
    assert (same.status_code, same.content) == (304, b"")


@pytest.mark.parametrize("path", ["bundle", "card"])
def test_a_damaged_artefact_is_not_handed_out(
    scientist: APIClient, raisin: Endpoint, path: str
) -> None:
    raisin.versions.filter(number=1).update(artifact_sha256="0" * 64)
    problem_in(scientist.get(f"{VERSIONS}/1/{path}"), 503, "no_model")


def test_it_shows_the_model_card(scientist: APIClient, raisin: Endpoint) -> None:
    raisin.versions.filter(number=1).update(intended_use="Sorting.", limits="Not seeds.")
    card = scientist.get(f"{VERSIONS}/1/card").json()
    assert (card["intended_use"], card["limits"]) == ("Sorting.", "Not seeds.")
    assert card["card"]["classes"] == ["Kecimen", "Besni"]
    assert card["card"]["rows"] == {"train": 720, "validation": 180}


def test_it_writes_note_and_card(scientist: APIClient, raisin: Endpoint) -> None:
    body = {"note": "for the harvest", "limits": "Not for seeds."}
    changed = send(scientist, "PATCH", f"{VERSIONS}/2", body).json()
    assert changed.items() >= body.items()
    assert changed["intended_use"] == ""
    assert sorted(Event.objects.values_list("verb", flat=True))[:2] == ["change", "create"]
    assert Event.objects.filter(verb="edit_card").count() == 1


def test_a_version_that_was_in_production_keeps_its_card(
    scientist: APIClient, raisin: Endpoint
) -> None:
    body = {"limits": "None.", "note": "changed"}
    problem_in(send(scientist, "PATCH", f"{VERSIONS}/1", body), 409, "invalid_transition")
    assert scientist.get(f"{VERSIONS}/1").json()["note"] == ""
    answer = send(scientist, "PATCH", f"{VERSIONS}/1", {"note": "kept for comparison"})
    assert answer.json()["note"] == "kept for comparison"


def test_it_refuses_who_may_not_write(api: APIClient, ana: User, raisin: Endpoint) -> None:
    api.force_login(ana)
    problem_in(send(api, "PATCH", f"{VERSIONS}/2", {"note": "x"}), 403, "not_allowed")


@pytest.mark.parametrize("body", [{"note": 1}, {"limits": "x" * 20_001}, {"threshold": 0.4}, []])
def test_it_refuses_to_write(scientist: APIClient, raisin: Endpoint, body: Any) -> None:
    problem_in(send(scientist, "PATCH", f"{VERSIONS}/2", body), 400, "invalid_request")

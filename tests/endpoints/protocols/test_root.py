"""One endpoint at the root of the site, for clients of a service of a single model."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from endpoints.models import Endpoint, PredictionRequest
from tests import cast
from tests.cast import ROW
from tests.endpoints.protocols.asking import LISTS, OTHER, ROWS, native, problem, send
from tests.endpoints.test_forms_with_files import BOUNDARY, FILE, form

pytestmark = pytest.mark.django_db

READS = ("features", "plot", "health", "ping", "version")
ASKS = ("predict", "monitor", "invocations")


@pytest.fixture
def root(raisin: Endpoint, settings: Any) -> Endpoint:
    settings.RAISIN_ROOT_ENDPOINT = "raisin"
    return raisin


@pytest.mark.parametrize("body", [{"rows": ROWS}, {"features": LISTS}], ids=["rows", "features"])
def test_it_works(client: Client, root: Endpoint, body: Any) -> None:
    answer, expected = send(client, "/predict", body).json(), native(client)
    assert answer | {"request_id": ""} == expected | {"request_id": ""}


def test_one_row_is_answered_in_the_singular(client: Client, root: Endpoint) -> None:
    assert send(client, "/predict", ROW).json()["label"] in ("Besni", "Kecimen")


def test_it_records_the_protocol(client: Client, root: Endpoint) -> None:
    answer = send(client, "/predict", ROW).json()
    assert PredictionRequest.objects.get(pk=answer["request_id"]).protocol == "root"


@pytest.mark.parametrize("route", READS)
def test_without_a_name_nothing_is_there_to_read(
    client: Client, raisin: Endpoint, settings: Any, route: str
) -> None:
    settings.RAISIN_ROOT_ENDPOINT = ""
    assert client.get(f"/{route}").status_code == 404


@pytest.mark.parametrize("route", ASKS)
def test_without_a_name_nobody_is_there_to_ask(
    client: Client, raisin: Endpoint, settings: Any, route: str
) -> None:
    settings.RAISIN_ROOT_ENDPOINT = ""
    problem(send(client, f"/{route}", ROW), 404, "not_found")


@pytest.mark.parametrize("route", ["health", "ping"])
def test_a_probe_needs_no_key(client: Client, root: Endpoint, route: str) -> None:
    Endpoint.objects.update(public_predictions=False)
    found = {"status": "OK", "endpoint": "raisin", "version": 1}
    assert client.get(f"/{route}").json() == found
    Endpoint.objects.update(paused_at=cast.THEN)
    problem(client.get(f"/{route}"), 503, "no_model")


def test_everything_else_does(client: Client, root: Endpoint) -> None:
    Endpoint.objects.update(public_predictions=False)
    problem(client.get("/features"), 401, "not_authenticated")
    problem(client.get("/plot"), 401, "not_authenticated")
    for route in ASKS:
        problem(send(client, f"/{route}", ROW), 401, "not_authenticated")


@pytest.mark.parametrize("path", ["/predict", "/invocations", "/e/raisin/invocations"])
def test_a_session_neither_helps_nor_harms(root: Endpoint, dana: User, path: str) -> None:
    """Whoever is logged in is nobody here, so that no page elsewhere can send in their name."""
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(dana)
    body = ROW if path == "/predict" else {"instances": ROWS}
    assert send(browser, path, body).status_code == 200
    Endpoint.objects.update(public_predictions=False)
    problem(send(browser, path, body), 401, "not_authenticated")


def test_it_answers_as_an_mlflow_server(client: Client, root: Endpoint) -> None:
    answer = send(client, "/invocations", {"instances": ROWS}).json()
    assert answer["predictions"] == native(client)["labels"]
    assert client.get("/version").status_code == 200


def test_it_describes_the_features(client: Client, root: Endpoint) -> None:
    assert client.get("/features").json() == client.get("/api/v1/raisin/features").json()
    assert client.get("/features?version=2").json()["version"] == 2


def test_it_draws_a_feature(client: Client, root: Endpoint) -> None:
    answer = client.get("/plot?feature=Area")
    assert answer["Content-Type"] == "image/svg+xml; charset=utf-8"
    assert answer.content == client.get("/api/v1/raisin/plot?feature=Area").content


def test_rows_like_those_of_the_training_have_not_drifted(client: Client, root: Endpoint) -> None:
    rows = [list(map(float, row[:-1])) for row in cast.raisin_rows().rows[::3]]
    answer = send(client, "/monitor", {"rows": rows}).json()
    assert (answer["drift"], answer["rows"]) == (False, len(rows))
    assert [found["name"] for found in answer["features"]] == list(ROW)
    assert {found["verdict"] for found in answer["features"]} <= {"stable", "watch"}


def test_other_rows_have(client: Client, root: Endpoint) -> None:
    answer = send(client, "/monitor", {"rows": [OTHER] * 300}).json()
    area = answer["features"][0]
    assert (answer["drift"], area["verdict"]) == (True, "shift")
    assert area["psi"] > 0.25
    assert area["p_value"] < 0.01


def test_few_rows_are_not_called_stable(client: Client, root: Endpoint) -> None:
    answer = send(client, "/monitor", {"rows": ROWS}).json()
    assert {found["verdict"] for found in answer["features"]} == {"insufficient_data"}
    assert (answer["drift"], answer["verdict"]) == (False, "insufficient_data")


def test_a_form_with_a_file_is_read(client: Client, root: Endpoint) -> None:
    rows = "\n".join(",".join(map(str, row)) for row in [ROW, *LISTS * 30])
    body = form((FILE, rows.encode()))
    sent = send(client, "/monitor", body, content_type=f"multipart/form-data; boundary={BOUNDARY}")
    assert sent.json() == send(client, "/monitor", rows.encode()).json()
    assert sent.json()["rows"] == 60


def test_a_paused_endpoint_answers_nothing(client: Client, root: Endpoint) -> None:
    Endpoint.objects.update(paused_at=cast.THEN)
    for route in ("predict", "monitor"):
        problem(send(client, f"/{route}", ROW), 503, "no_model")


def test_the_means_of_the_training_are_not_told_to_all(client: Client, root: Endpoint) -> None:
    [impact] = send(client, "/monitor", {"rows": [OTHER] * 60}).json()["impact"]
    assert {feature["mean_ref"] for feature in impact["features"]} == {None}


def test_what_is_monitored_is_not_logged(client: Client, root: Endpoint) -> None:
    send(client, "/monitor", {"rows": ROWS})
    assert not PredictionRequest.objects.exists()


def test_it_refuses_rows_that_do_not_fit(client: Client, root: Endpoint) -> None:
    for route in ("predict", "monitor"):
        body = problem(send(client, f"/{route}", ROW | {"Area": "x"}), 422, "invalid_rows")
        assert body["errors"][0]["field"] == "Area"


def test_an_error_tells_no_more_than_the_endpoint_allows(client: Client, root: Endpoint) -> None:
    Endpoint.objects.update(error_detail="generic")
    body = problem(send(client, "/monitor", ROW | {"Area": "x"}), 422, "invalid_rows")
    assert "Area" not in str(body)


def test_it_refuses_a_parameter_that_it_does_not_know(client: Client, root: Endpoint) -> None:
    problem(send(client, "/predict?version=1", ROW), 400, "invalid_request")
    body = problem(client.get("/plot?featur=Area"), 400, "invalid_request")
    assert 'did you mean "feature"' in body["error"]


def test_it_refuses_a_feature_that_the_model_does_not_have(client: Client, root: Endpoint) -> None:
    body = problem(client.get("/plot?feature=Aera"), 400, "invalid_request")
    assert 'did you mean "Area"' in body["error"]

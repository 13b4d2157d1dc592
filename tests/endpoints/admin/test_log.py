"""The request log in the admin: narrowed down by version, exported without what one may not see."""

from __future__ import annotations

import csv
import io
import uuid

import pytest
from django.contrib.auth.models import User
from django.test import Client

from endpoints.models import Endpoint, PredictionRequest
from endpoints.services import feedback
from tests import cast
from tests.endpoints.admin.site import run_action, staff, url
from tests.endpoints.services.abtests import trial

pytestmark = pytest.mark.django_db


def exported(client: Client, *chosen: uuid.UUID) -> list[dict[str, str]]:
    answer = run_action(client, "predictionrequest", "export_csv", list(chosen))
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(text)))


def version_choices(client: Client, **query: object) -> list[str]:
    specs = client.get(url("predictionrequest"), query).context["cl"].filter_specs
    found = next(spec for spec in specs if spec.title == "version")
    return [name for _, name in found.lookup_choices]


def test_it_works(raisin: Endpoint, admin_client: Client) -> None:
    chosen = cast.prediction(raisin, rows=[cast.ROW] * 2)
    cast.prediction(raisin)
    lines = exported(admin_client, chosen.request_id)
    assert [(line["request_id"], line["row"]) for line in lines] == [
        (str(chosen.request_id), "0"),
        (str(chosen.request_id), "1"),
    ]
    assert [float(line["probability"]) for line in lines] == [
        row.probabilities[1] for row in chosen.rows
    ]


def test_it_exports_the_part_in_a_test(raisin: Endpoint, admin_client: Client) -> None:
    test = trial.running_test(raisin, raisin.versions.get(number=2))
    logged = cast.prediction(raisin, unit="user-7").request_id
    [line] = exported(admin_client, logged)
    said = PredictionRequest.objects.get(pk=logged).shadow
    assert (line["unit_id"], line["abtest"], line["arm"]) == ("user-7", str(test.pk), "control")
    assert line["shadow_prediction"] == str(said["predictions"][0])
    assert line["shadow_probability"] == str(said["probabilities"][0])


def test_it_refuses_inputs_to_who_may_not_see_them(raisin: Endpoint) -> None:
    logged = cast.prediction(raisin).request_id
    eve, ana = (
        staff("eve", "view_predictionrequest"),
        staff("ana", "view_predictionrequest", "view_inputs"),
    )
    assert "inputs" not in exported(eve, logged)[0]
    assert "87524" in exported(ana, logged)[0]["inputs"]


def test_no_cell_of_the_file_runs_in_a_spreadsheet(raisin: Endpoint, admin_client: Client) -> None:
    logged = cast.prediction(raisin).request_id
    PredictionRequest.objects.filter(pk=logged).update(source="=1+1")
    assert exported(admin_client, logged)[0]["source"] == "'=1+1"


def test_the_log_is_narrowed_down_by_version(raisin: Endpoint, admin_client: Client) -> None:
    cast.prediction(raisin)
    answer = cast.prediction(raisin, version=2)
    page = admin_client.get(
        url("predictionrequest"), {"version__id__exact": raisin.versions.get(number=2).pk}
    )
    assert [entry.pk for entry in page.context["cl"].queryset] == [answer.request_id]


def test_the_versions_to_choose_from_answered_for_the_chosen_endpoint(
    raisin: Endpoint, admin_client: Client
) -> None:
    other = cast.an_endpoint("other")
    cast.registered_version(other, status="production")
    cast.prediction(other)
    cast.prediction(raisin)
    cast.prediction(raisin, version=2)
    cast.registered_version(raisin)
    ours = ["Raisin v2", "Raisin v1"]
    assert version_choices(admin_client) == ["Other v1", *ours]
    assert version_choices(admin_client, endpoint__id__exact=raisin.pk) == ours


def test_a_version_of_another_endpoint_finds_nothing(
    raisin: Endpoint, admin_client: Client
) -> None:
    other = cast.an_endpoint("other")
    logged = cast.prediction(raisin).request_id
    query = {"version__id__exact": raisin.versions.get(number=1).pk}
    for endpoint, expected in ((raisin, [logged]), (other, [])):
        chosen = query | {"endpoint__id__exact": endpoint.pk}
        listed = admin_client.get(url("predictionrequest"), chosen).context["cl"].queryset
        assert [entry.pk for entry in listed] == expected


@pytest.mark.parametrize("digits", [30, 4_301])
def test_an_endpoint_beyond_all_numbers_is_no_error(
    raisin: Endpoint, admin_client: Client, digits: int
) -> None:
    query = {"endpoint__id__exact": "9" * digits}
    assert admin_client.get(url("predictionrequest"), query).status_code in (200, 302)


def test_one_is_found_by_its_id(raisin: Endpoint, admin_client: Client, admin_user: User) -> None:
    logged = cast.prediction(raisin).request_id
    cast.prediction(raisin)
    for words, expected in ((str(logged), [logged]), ("no id", [])):
        listed = admin_client.get(url("predictionrequest"), {"q": words}).context["cl"].queryset
        assert [entry.pk for entry in listed] == expected


def test_hidden_inputs_cannot_be_guessed_by_a_filter(raisin: Endpoint) -> None:
    cast.prediction(raisin)
    client = staff("ina", "view_predictionrequest")
    for lookup in ("inputs__icontains=87524", "imputed__icontains=Area"):
        response = client.get(f"{url('predictionrequest')}?{lookup}")
        assert response.status_code in {302, 400}


@pytest.mark.parametrize(
    "query", ["source__exact=api", "latency_us__gt=1", "label=Besni", "endpoint__slug__contains=x"]
)
@pytest.mark.parametrize("model", ["predictionrequest", "feedback"])
def test_it_refuses_a_filter_that_no_index_serves(
    raisin: Endpoint, admin_client: Client, model: str, query: str
) -> None:
    cast.prediction(raisin)
    assert admin_client.get(f"{url(model)}?{query}").status_code in {302, 400}


@pytest.mark.parametrize("model", ["predictionrequest", "feedback"])
def test_it_has_one_order(raisin: Endpoint, admin_client: Client, model: str) -> None:
    for query in ("", "?o=3", "?o=-5.2"):
        listed = admin_client.get(url(model) + query).context["cl"].queryset
        assert set(listed.query.order_by) == {"-id"}


def test_labels_are_found_by_the_id_of_their_request(
    raisin: Endpoint, admin_client: Client
) -> None:
    found = []
    for _ in range(2):
        request = PredictionRequest.objects.get(pk=cast.prediction(raisin).request_id)
        found.append(
            feedback.record(
                request=request, label="Besni", row=0, actor=cast.SYSTEM, now=cast.THEN
            ).feedback
        )
    listed = admin_client.get(url("feedback"), {"q": str(found[0].request_id)}).context["cl"]
    assert list(listed.queryset) == found[:1]

"""One prediction: why it came out so, its true label, its inputs for who may see them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from dashboard.presenters import explanation
from endpoints.models import AlgorithmVersion, Endpoint, Feedback, PredictionRequest
from tests import cast
from tests.dashboard.conftest import Browse, Site
from tests.dashboard.pages import assert_clean, read, text_of
from tests.endpoints.services.abtests import trial


def url(prediction: PredictionRequest) -> str:
    return f"/endpoints/raisin/predictions/{prediction.pk}/"


def test_it_works(site: Site, ana: User, browse: Browse) -> None:
    response = browse(ana).get(url(site.prediction))
    said = text_of(response)
    assert "Why" in said
    assert "add up exactly to the sum" in said
    assert "Perimeter = 1184.04" in said
    assert "Try a change" in said


def test_contributions_add_up_to_the_logged_probability(site: Site) -> None:
    explained = explanation.explain(site.prediction, 0)
    side = explained.chosen
    total = side.intercept + sum(part.contribution for part in side.parts)
    assert total == pytest.approx(side.score, abs=1e-12)
    assert side.parts[-1].running == pytest.approx(side.score, abs=1e-12)
    report = explained.classifier.score([site.prediction.inputs[0]])
    assert report.positive[0] == site.prediction.probabilities[0]


def test_inputs_are_hidden_from_who_may_not_see_them(site: Site, eve: User, browse: Browse) -> None:
    body = browse(eve).get(url(site.prediction)).content.decode()
    assert "1184.04" not in body
    assert "87524" not in body
    assert "endpoints.view_inputs" in body
    assert "Try a change" not in body


def test_each_row_of_a_request_has_its_own_explanation(
    site: Site, ana: User, browse: Browse
) -> None:
    rows = [cast.ROW, cast.ROW | {"Area": 200_000}]
    answer = cast.prediction(site.endpoint, rows=rows)
    address = f"/endpoints/raisin/predictions/{answer.request_id}/?row=1"
    said = text_of(browse(ana).get(address))
    assert "row 1 of 0 to 1" in said
    assert "Area = 200000" in said


@pytest.mark.parametrize("row", ["2", "-1", "x", "²", "9" * 4_301])
def test_a_row_that_is_not_there_is_not_found(
    site: Site, ana: User, browse: Browse, row: str
) -> None:
    address = f"/endpoints/raisin/predictions/{cast.prediction(site.endpoint).request_id}/"
    assert browse(ana).post(address, {"row": row, "label": "Besni"}).status_code == 404


def test_values_outside_the_training_rows_are_warned_of(
    site: Site, ana: User, eve: User, browse: Browse
) -> None:
    answer = cast.prediction(site.endpoint, rows=[cast.ROW | {"Extent": 9.5}])
    address = f"/endpoints/raisin/predictions/{answer.request_id}/"
    for person, marked in ((ana, True), (eve, False)):
        said = text_of(browse(person).get(address))
        assert "1 value lies outside what the model was trained on" in said
        assert ("Extent = 9.5 unusual" in said) == marked


def test_a_label_is_recorded_corrected_and_kept(site: Site, ana: User, browse: Browse) -> None:
    client = browse(ana)
    answer = cast.prediction(site.endpoint)
    address = f"/endpoints/raisin/predictions/{answer.request_id}/"
    for label, said in (
        ("Kecimen", "The label Kecimen is recorded."),
        ("Kecimen", "The label Kecimen was there already."),
        ("Besni", "The label Besni replaces the one before."),
    ):
        fields = read(client.get(address)).fields
        response = client.post(address, fields | {"label": label}, follow=True)
        assert said in text_of(response)
        assert_clean(response)
    kept = Feedback.objects.filter(request=answer.request_id).order_by("pk")
    assert [(f.label, f.current, f.actor_name) for f in kept] == [
        ("Kecimen", False, "ana"),
        ("Besni", True, "ana"),
    ]


@pytest.mark.parametrize("label", ["", "Sultana"])
def test_it_refuses_what_is_no_label(label: str, site: Site, ana: User, browse: Browse) -> None:
    answers = {"label": label, "row": "0"}
    response = browse(ana).post(url(site.prediction), answers, follow=True)
    assert "Choose the true label first." in text_of(response)
    assert Feedback.objects.filter(request=site.prediction).count() == 1


def test_a_prediction_of_a_lost_model_still_has_a_page(
    site: Site, ana: User, browse: Browse
) -> None:
    AlgorithmVersion.objects.filter(pk=site.prediction.version_id).update(artifact_sha256="0" * 64)
    response = browse(ana).get(url(site.prediction))
    assert response.status_code == 200
    assert "cannot be used" in text_of(response)
    assert_clean(response)


def test_it_tells_how_it_was_asked(
    site: Site, ana: User, dev_key: str, browse: Browse, api: APIClient
) -> None:
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {dev_key}", HTTP_X_REQUEST_ID="order-7")
    asked = api.post("/api/v1/raisin/predict", cast.ROW, format="json").json()
    response = browse(ana).get(f"/endpoints/raisin/predictions/{asked['request_id']}/")
    said = text_of(response)
    assert "REST (Raisin)" in said
    assert f"asked by {PredictionRequest.objects.get(pk=asked['request_id']).caller}" in said
    assert "X-Request-ID order-7" in said
    assert "&quot;correlation_id&quot;: &quot;order-7&quot;" in response.content.decode()


def test_it_tells_the_unit_and_the_arm(raisin: Endpoint, eve: User, browse: Browse) -> None:
    test = trial.running_test(raisin, raisin.versions.get(number=2), kind="split")
    answer = cast.prediction(raisin, unit="user-1")
    response = browse(eve).get(f"/endpoints/raisin/predictions/{answer.request_id}/")
    said = text_of(response)
    assert "for user-1" in said
    assert "arm B of v1 or v2" in said
    assert "Challenger" not in said
    assert "&quot;arm&quot;: &quot;challenger&quot;" in response.content.decode()
    assert f"/tests/{test.pk}/" in read(response).links


@pytest.mark.parametrize(("threshold", "told"), [(0.0, "the same"), (1.0, "another")])
def test_it_tells_what_the_challenger_says(
    raisin: Endpoint, eve: User, browse: Browse, threshold: float, told: str
) -> None:
    raisin.versions.filter(number=2).update(threshold=threshold)
    trial.running_test(raisin, raisin.versions.get(number=2))
    answer = cast.prediction(raisin, rows=[cast.ROW, cast.ROW])
    logged = PredictionRequest.objects.get(pk=answer.request_id)
    response = browse(eve).get(f"/endpoints/raisin/predictions/{answer.request_id}/?row=1")
    said = text_of(response)
    label = "Besni" if told == "the same" else "Kecimen"
    share = f"{logged.shadow['probabilities'][1]:.1%}".replace("%", " %")
    assert f"Challenger v2 {label} {share}, {told} class" in said
    assert "arm A" in said
    assert_clean(response)


def test_without_the_artefact_it_tells_the_number_of_the_class(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    trial.running_test(raisin, raisin.versions.get(number=2))
    answer = cast.prediction(raisin)
    raisin.versions.update(artifact_sha256="0" * 64)
    response = browse(eve).get(f"/endpoints/raisin/predictions/{answer.request_id}/")
    assert "Challenger v2 1 " in text_of(response)

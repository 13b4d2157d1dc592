"""The try page: a form from the schema, scored through the one serving path."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from endpoints.models import Endpoint, PredictionRequest
from endpoints.services import pausing
from mlcore.table import Table
from mlcore.training import TrainingSpec, train
from tests import cast
from tests.dashboard.conftest import Browse, Site
from tests.dashboard.pages import assert_clean, text_of

TRY = "/endpoints/raisin/try/"
VALUES = {f"column_{place}": str(value) for place, value in enumerate(cast.ROW.values())}


def initial(client: Client, query: str = "") -> list[str]:
    form = client.get(TRY + query).context["form"]
    return [str(field.value()) for field in form]


def test_it_works(raisin: Endpoint, ana: User, browse: Browse) -> None:
    response = browse(ana).post(TRY, VALUES | {"version": "1"}, follow=True)
    logged = PredictionRequest.objects.get()
    assert response.redirect_chain[0][0].endswith(f"/predictions/{logged.pk}/")
    assert (logged.source, logged.version.number) == ("try", 1)
    assert logged.inputs == [list(map(float, cast.ROW.values()))]


def test_it_starts_from_a_typical_row_of_production(
    raisin: Endpoint, ana: User, browse: Browse
) -> None:
    response = browse(ana).get(TRY)
    assert response.context["version"].number == 1
    assert all(value != "" for value in initial(browse(ana)))
    assert "usual" in text_of(response)


def test_it_starts_from_a_prediction(site: Site, ana: User, browse: Browse) -> None:
    values = initial(browse(ana), f"?from={site.prediction.pk}")
    assert [float(value) for value in values] == list(cast.ROW.values())


def test_it_refuses_to_start_from_inputs_that_one_may_not_see(
    site: Site, eve: User, browse: Browse
) -> None:
    response = browse(eve).get(f"{TRY}?from={site.prediction.pk}")
    assert response.status_code == 403


def test_another_version_can_be_tried(raisin: Endpoint, ana: User, browse: Browse) -> None:
    browse(ana).post(TRY, VALUES | {"version": "2"})
    assert PredictionRequest.objects.get().version.number == 2


def test_it_refuses_bad_cells_at_their_fields(raisin: Endpoint, ana: User, browse: Browse) -> None:
    answers = VALUES | {"version": "1", "column_0": "12,5", "column_1": "", "column_2": "1e200"}
    response = browse(ana).post(TRY, answers)
    assert response.status_code == 422
    form = response.context["form"]
    assert form.errors["column_0"] == ["Write a number such as 12.5."]
    assert form.errors["column_1"] == ["This field is required."]
    assert not PredictionRequest.objects.exists()
    assert 'href="#id_column_0"' in response.content.decode()
    assert_clean(response)


def test_the_schema_has_the_last_word(raisin: Endpoint, ana: User, browse: Browse) -> None:
    response = browse(ana).post(TRY, VALUES | {"version": "1", "column_2": "1e200"})
    assert response.status_code == 422
    assert list(response.context["form"].errors) == ["column_2"]


def test_an_endpoint_without_versions_says_so(db: None, ana: User, browse: Browse) -> None:
    cast.an_endpoint()
    assert "No version to try" in text_of(browse(ana).get(TRY))


def test_categories_are_chosen_and_missing_values_filled() -> None:
    from dashboard.forms import RowForm

    rows = tuple(
        (str(place), "red" if place % 3 else "", "yes" if place % 2 else "no")
        for place in range(40)
    )
    table = Table(("size", "colour", "answer"), rows, tuple(range(2, 42)), "0" * 64, "toy")
    classifier = train(TrainingSpec(target="answer", positive="yes"), table).classifier
    form = RowForm({"column_0": "3.5", "column_1": ""}, classifier=classifier)
    assert form.is_valid(), form.errors
    assert form.row == {"size": 3.5, "colour": None}
    assert ("", "no value, filled with red") in form.fields["column_1"].choices


def test_of_many_columns_the_weightiest_come_first(
    raisin: Endpoint, ana: User, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.forms.MOST_FIELDS", 6)
    monkeypatch.setattr("dashboard.forms.FIRST_FIELDS", 2)
    form = browse(ana).get(TRY).context["form"]
    assert [len(form.first), len(form.rest)] == [2, 5]
    weights = [form.weights[int(field.name.removeprefix("column_"))] for field in form.first]
    assert weights == sorted(form.weights, reverse=True)[:2]


def test_a_paused_endpoint_says_so_and_scores_nothing(
    raisin: Endpoint, ana: User, browse: Browse
) -> None:
    pausing.pause(endpoint=raisin, actor=cast.SYSTEM, now=cast.THEN)
    page = browse(ana).get(TRY)
    assert "This endpoint is paused and scores nothing" in text_of(page)
    assert_clean(page)
    refused = browse(ana).post(TRY, VALUES | {"version": "1"}, follow=True)
    assert "is paused. Ask somebody" in text_of(refused)
    assert not PredictionRequest.objects.exists()

"""Every page of an endpoint whose models tell three classes apart can be opened."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from endpoints.models import AlgorithmVersion, Endpoint
from tests import cast
from tests.cast import ROW
from tests.dashboard.pages import assert_clean, text_of
from tests.endpoints import grains
from tests.endpoints.grains import CLASSES

pytestmark = pytest.mark.django_db
PAGES = (
    "/",
    "/endpoints/grains/",
    "/endpoints/grains/versions/",
    "/endpoints/grains/versions/1/",
    "/endpoints/grains/versions/2/",
    "/endpoints/grains/versions/2/review/?to=production",
    "/endpoints/grains/predictions/",
    "/endpoints/grains/predictions/{single}/",
    "/endpoints/grains/predictions/{double}/?row=1",
    "/endpoints/grains/predictions/download/",
    "/endpoints/grains/try/",
    "/runs/",
    "/runs/{run}/",
    "/admin/endpoints/predictionrequest/",
    "/admin/endpoints/algorithmversion/",
)


@pytest.fixture
def ids(db: None) -> dict[str, str]:
    endpoint: Endpoint = grains.endpoint()
    candidate = grains.version(endpoint, status="staging", lambda_=0.001)
    return {
        "single": str(cast.prediction(endpoint, rows=[ROW]).request_id),
        "double": str(cast.prediction(endpoint, rows=[ROW, ROW]).request_id),
        "run": candidate.run_id,
    }


def test_it_works(ids: dict[str, str], admin_client: Client) -> None:
    answers = {page: admin_client.get(page.format(**ids)).status_code for page in PAGES}
    assert answers == dict.fromkeys(PAGES, 200)


def test_the_row_page_tells_every_class_the_predicted_one_first(
    ids: dict[str, str], admin_client: Client
) -> None:
    response = admin_client.get(f"/endpoints/grains/predictions/{ids['single']}/")
    explained, said = response.context["explained"], text_of(response)
    assert explained.sides[0].label == explained.label == explained.shares[0][0]
    assert {side.label for side in explained.others} == set(CLASSES) - {explained.label}
    assert [share for _, share in explained.shares] == sorted(
        (share for _, share in explained.shares), reverse=True
    )
    for side in explained.sides:
        total = side.intercept + sum(part.contribution for part in side.parts)
        assert total == pytest.approx(side.score, abs=1e-9)
    assert f"Why {explained.label}" in said
    assert all(f"Why not {side.label}?" in said for side in explained.others)
    assert "the largest of 3" in said
    assert "threshold" not in said.lower()
    assert_clean(response)


def test_a_label_of_any_class_can_be_given(ids: dict[str, str], admin_client: Client) -> None:
    address = f"/endpoints/grains/predictions/{ids['single']}/"
    assert all(name in text_of(admin_client.get(address)) for name in CLASSES)
    response = admin_client.post(address, {"label": "Rumi", "row": 0}, follow=True)
    assert "The label Rumi is recorded." in text_of(response)


def test_a_version_shows_a_table_of_coefficients_a_class(
    ids: dict[str, str], admin_client: Client
) -> None:
    response = admin_client.get("/endpoints/grains/versions/1/")
    tables = response.context["coefficients"].tables
    assert tuple(table.label for table in tables) == CLASSES
    assert all(table.intercept.found["standard_error"] > 0 for table in tables)
    assert sum(table.intercept.weight for table in tables) == pytest.approx(0.0, abs=1e-9)
    said = text_of(response)
    assert "No threshold takes part" in said or "no threshold takes part" in said
    assert_clean(response)


def test_right_and_wrong_are_counted_class_by_class(
    ids: dict[str, str], admin_client: Client
) -> None:
    rows = admin_client.get("/endpoints/grains/versions/1/").context["confusion"]
    assert [row.label for row in rows] == list(CLASSES)
    for place, row in enumerate(rows):
        assert [cell.is_right for cell in row.cells] == [place == k for k in range(3)]
        assert sum(cell.count for cell in row.cells) == row.facts["support"]


def test_a_run_shows_a_path_a_class(ids: dict[str, str], admin_client: Client) -> None:
    response = admin_client.get(f"/runs/{ids['run']}/")
    assert [label for label, _ in response.context["path"].weights] == list(CLASSES)
    assert response.context["threshold_chart"] is None
    assert_clean(response)


def test_the_overview_speaks_of_no_positive_class(
    ids: dict[str, str], admin_client: Client
) -> None:
    cast.prediction(Endpoint.objects.get(slug="grains"), now=timezone.now())
    said = text_of(admin_client.get("/endpoints/grains/"))
    assert "Positive rate" not in said
    assert "Probability of the predicted class" in said
    assert "Probability of the predicted class" in text_of(
        admin_client.get("/endpoints/grains/predictions/")
    )
    body = admin_client.get("/endpoints/grains/").content.decode()
    assert "answer[&quot;probabilities&quot;]" in body


def test_runs_compare_the_weights_of_each_class(ids: dict[str, str], admin_client: Client) -> None:
    other = AlgorithmVersion.objects.get(number=1).run_id
    response = admin_client.get(f"/runs/compare/?run={ids['run']}&run={other}")
    names = {row.name for row in response.context["comparison"].weights}
    assert {f"Area, {name}" for name in CLASSES} <= names
    assert_clean(response)

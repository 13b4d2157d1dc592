"""What the lists of decisions and of runs show, and how they are narrowed down."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from endpoints.admin.base import KnownEndpointsFilter
from endpoints.models import Endpoint, Run, StatusChange
from tests import cast
from tests.endpoints.admin.site import staff, url

pytestmark = pytest.mark.django_db


def test_it_works(raisin: Endpoint, admin_client: Client) -> None:
    query = {"verb": "promote", "version__endpoint__id__exact": raisin.pk, "at__year": 2026}
    listed = admin_client.get(url("statuschange"), query).context["cl"].queryset
    assert [change.version.number for change in listed] == [1]


@pytest.mark.parametrize(
    ("verdicts", "shown"),
    [
        (["pass", "warn", "pass", "pass"], "3 pass, 1 warn"),
        (["not_run", "fail"], "1 fail, 1 not run"),
    ],
)
def test_a_decision_shows_its_gates_in_short(
    verdicts: list[str], shown: str, raisin: Endpoint, admin_client: Client
) -> None:
    gates = [{"verdict": verdict} for verdict in verdicts]
    StatusChange.objects.filter(verb="promote").update(gates=gates)
    assert shown in admin_client.get(url("statuschange")).content.decode()


def test_runs_are_narrowed_down_by_their_data(raisin: Endpoint, admin_client: Client) -> None:
    other = cast.trained_run(name="elsewhere")
    Run.objects.filter(pk=other.pk).update(dataset_name="grapes.csv")
    page = admin_client.get(url("run"), {"dataset_name": "grapes.csv"})
    assert list(page.context["cl"].queryset) == [other]
    assert "By dataset name" in page.content.decode()


FILTERED_BY_ENDPOINT = (
    "alert",
    "alertrule",
    "algorithmversion",
    "apikey",
    "batchjob",
    "driftreport",
    "event",
    "membership",
    "predictionrequest",
    "statuschange",
    "webhook",
)


@pytest.fixture
def secret(raisin: Endpoint) -> Endpoint:
    cast.an_endpoint("other")
    return Endpoint.objects.create(slug="secret", name="secret x", members_only=True)


@pytest.mark.parametrize("model", FILTERED_BY_ENDPOINT)
def test_filters_name_no_hidden_endpoint(model: str, secret: Endpoint) -> None:
    page = staff("sam", f"view_{model}", "view_endpoint").get(url(model))
    assert len(endpoints_offered(page)) == 2
    assert "secret x" not in page.text


@pytest.mark.parametrize("model", FILTERED_BY_ENDPOINT)
def test_filters_name_every_endpoint_to_administrators(
    model: str, secret: Endpoint, admin_client: Client
) -> None:
    page = admin_client.get(url(model))
    assert secret.pk in endpoints_offered(page)
    assert "secret x" in page.text


def test_filters_name_no_endpoint_to_who_may_see_none(secret: Endpoint) -> None:
    page = staff("sam", "view_event").get(url("event"))
    assert page.status_code == 200
    assert endpoints_offered(page) == []


def test_the_log_offers_no_version_of_a_hidden_endpoint(
    raisin: Endpoint, admin_client: Client
) -> None:
    for version in (1, 2):
        cast.prediction(raisin, version=version)
    Endpoint.objects.update(members_only=True)
    viewer = staff("sam", "view_predictionrequest", "view_endpoint")
    offered = [versions_offered(client) for client in (viewer, admin_client)]
    assert offered == [0, 2]


def versions_offered(client: Client) -> int:
    filters = client.get(url("predictionrequest")).context["cl"].filter_specs
    return sum(len(one.lookup_choices) for one in filters if one.title == "version")


def endpoints_offered(page: Any) -> list[int]:
    """Return the keys that the filter by endpoint offers; none where there is no such filter."""
    filters = page.context["cl"].filter_specs
    offered = [one.lookup_choices for one in filters if isinstance(one, KnownEndpointsFilter)]
    return [key for choices in offered for key, _ in choices]

"""What the lists of decisions and of runs show, and how they are narrowed down."""

from __future__ import annotations

import pytest
from django.test import Client

from endpoints.models import Endpoint, Run, StatusChange
from tests import cast
from tests.endpoints.admin.site import url

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

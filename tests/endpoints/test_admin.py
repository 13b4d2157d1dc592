"""The admin: every list opens, history cannot be written, and what changes serving is reviewed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from endpoints.models import AlgorithmVersion, ApiKey, Endpoint, Event, PredictionRequest, Run
from tests import cast
from tests.endpoints.admin.site import run_action, staff, url

pytestmark = pytest.mark.django_db
OURS = sorted(
    model._meta.model_name for model in admin.site._registry if model._meta.app_label == "endpoints"
)


@pytest.mark.parametrize("model", OURS)
def test_it_works(model: str, raisin: Endpoint, admin_client: Client) -> None:
    cast.prediction(raisin)
    assert admin_client.get(url(model)).status_code == 200


@pytest.mark.parametrize(
    ("action", "number", "to"),
    [
        ("review_promotion", 2, "production&verb=promote"),
        ("review_rollback", 1, "production&verb=roll_back"),
        ("review_archive", 2, "archived&verb=archive"),
    ],
)
def test_an_action_on_a_version_leads_to_the_review_page(
    action: str, number: int, to: str, raisin: Endpoint, admin_client: Client
) -> None:
    version = raisin.versions.get(number=number)
    response = run_action(admin_client, "algorithmversion", action, [version.pk])
    assert response.status_code == 302
    assert response["Location"] == f"/endpoints/raisin/versions/{number}/review/?to={to}"
    assert AlgorithmVersion.objects.get(pk=version.pk).status == version.status


def test_it_refuses_to_review_two_versions_at_once(raisin: Endpoint, admin_client: Client) -> None:
    chosen: list[object] = list(raisin.versions.values_list("pk", flat=True))
    response = run_action(admin_client, "algorithmversion", "review_promotion", chosen)
    assert response["Location"] == url("algorithmversion")


def test_it_refuses_to_write_history(raisin: Endpoint, admin_client: Client) -> None:
    decided = raisin.versions.get(number=1).status_changes.get(verb="promote")
    change = url("statuschange", "change", decided.pk)
    assert admin_client.post(change, {"reason": "nicer"}).status_code == 403
    assert admin_client.post(url("statuschange", "delete", decided.pk)).status_code == 403
    assert admin_client.get(url("event", "add")).status_code == 403


def test_an_endpoint_with_versions_cannot_be_deleted(
    raisin: Endpoint, admin_client: Client
) -> None:
    assert admin_client.post(url("endpoint", "delete", raisin.pk)).status_code == 403


def test_it_records_who_loosened_a_gate(raisin: Endpoint, admin_client: Client) -> None:
    page = url("endpoint", "change", raisin.pk)
    form = admin_client.get(page).context["adminform"].form
    unchanged = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    done = admin_client.post(page, form.initial | unchanged | {"gate_policy": "warn"})
    assert done.status_code == 302
    event = Event.objects.filter(verb="change").get()
    assert (event.actor_name, event.subject) == ("admin", "endpoint raisin")
    assert (event.before, event.after) == ({"gate_policy": "block"}, {"gate_policy": "warn"})


def test_it_counts_the_requests_of_the_last_day(raisin: Endpoint, admin_client: Client) -> None:
    now = timezone.now()
    for hours in (1, 2, 30):
        cast.prediction(raisin, now=now - timedelta(hours=hours))
    lonely = cast.an_endpoint("lonely")
    found = admin_client.get(url("endpoint")).context["cl"].queryset
    assert {endpoint.pk: endpoint.recent for endpoint in found} == {raisin.pk: 2, lonely.pk: 0}


def test_inputs_are_for_those_who_may_see_them(raisin: Endpoint) -> None:
    logged = PredictionRequest.objects.get(pk=cast.prediction(raisin).request_id)
    page = url("predictionrequest", "change", logged.pk)
    assert "87524" in staff("ana", "view_predictionrequest", "view_inputs").get(page).text
    assert "87524" not in staff("eve", "view_predictionrequest").get(page).text


def test_runs_are_archived_by_the_permission_that_the_pages_ask_for(raisin: Endpoint) -> None:
    run = raisin.versions.get(number=1).run
    run_action(staff("eve", "view_run", "change_run"), "run", "archive", [run.pk])
    assert Run.objects.get(pk=run.pk).archived_at is None
    run_action(staff("dana", "view_run", "add_run"), "run", "archive", [run.pk])
    assert Run.objects.get(pk=run.pk).archived_at is not None


def test_a_key_is_revoked(admin_client: Client, admin_user: User) -> None:
    key, _ = cast.new_key(admin_user)
    assert key.secret_sha256 not in admin_client.get(url("apikey", "change", key.pk)).text
    run_action(admin_client, "apikey", "revoke", [key.pk])
    assert ApiKey.objects.get(pk=key.pk).revoked_at is not None

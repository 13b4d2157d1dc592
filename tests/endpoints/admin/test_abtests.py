"""A/B tests in the admin: a list with what matters, drafts that can be changed, the rest to be read."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from endpoints.models import ABTest, Endpoint, Event
from endpoints.roles import ROLES
from endpoints.services.abtests import stopping
from tests import cast
from tests.endpoints.admin.site import run_action, staff, url
from tests.endpoints.services.abtests.planned import (
    ALEX,
    ALIKE,
    REASON,
    a_draft,
    a_test,
    asked,
    labelled,
)
from tests.endpoints.services.decisions import NOON

pytestmark = pytest.mark.django_db


def form(test: ABTest, **changed: Any) -> dict[str, Any]:
    data = {
        "title": test.title, "kind": test.kind, "challenger": test.challenger_id,
        "metric": test.metric, "cost_fp": 1.0, "cost_fn": 1.0, "margin": 0.0,
        "minimum_effect": 0.02, "alpha": 0.05, "looks": test.looks, "minimum_labels": 100,
        "horizon": test.horizon, "maturation_hours": 0, "error_margin": 0.01,
        "brier_margin": 0.02, "floor": 500, "challenger_share": 5_000, "phases-TOTAL_FORMS": 0,
        "phases-INITIAL_FORMS": 0,
    }  # fmt: skip
    return data | changed


def row(client: Client) -> str:
    return " ".join(client.get(url("abtest")).text.split())


def test_it_works(raisin: Endpoint, admin_client: Client) -> None:
    test = a_test(raisin, kind="split", share=2_000)
    labelled(test, **ALIKE)
    asked(test, a=800, b=200)
    listed = row(admin_client)
    assert 'field-split">80 % / 20 %<' in listed
    assert 'field-labels">500 of 1,000<' in listed
    assert 'field-sample_ratio">1.000<' in listed
    assert '/endpoints/raisin/versions/1/">v1</a>' in listed
    assert '/endpoints/raisin/versions/2/">v2</a>' in listed


def test_arms_that_got_other_shares_are_seen(raisin: Endpoint, admin_client: Client) -> None:
    test = a_test(raisin, kind="split")
    labelled(test, **ALIKE)
    asked(test, a=900, b=600)
    assert 'field-sample_ratio">&lt;0.001<' in row(admin_client)


def test_a_draft_has_no_figures(raisin: Endpoint, admin_client: Client) -> None:
    a_draft(raisin)
    listed = row(admin_client)
    assert 'field-a">—<' in listed
    assert 'field-split">shadow<' in listed
    assert 'field-labels">—<' in listed
    assert 'field-sample_ratio">—<' in listed


def test_a_draft_is_changed_on_the_record(raisin: Endpoint, admin_client: Client) -> None:
    draft = a_draft(raisin)
    page = url("abtest", "change", draft.pk)
    assert admin_client.get(page).status_code == 200
    answer = admin_client.post(page, form(draft, alpha=0.01, challenger_share=2_000))
    assert answer.status_code == 302
    draft.refresh_from_db()
    assert (draft.alpha, draft.phases.get().challenger_share) == (0.01, 2_000)
    event = Event.objects.get(verb="change_abtest")
    assert event.actor_name == "admin"
    assert event.after == {"alpha": 0.01, "challenger_share": 2_000}


def test_an_emptied_horizon_is_worked_out(raisin: Endpoint, admin_client: Client) -> None:
    draft = a_draft(raisin)
    page = url("abtest", "change", draft.pk)
    assert admin_client.post(page, form(draft, horizon="")).status_code == 302
    draft.refresh_from_db()
    assert draft.horizon > 1_000


@pytest.mark.parametrize("horizon", [None, 1_000])
def test_an_effect_that_takes_too_many_labels_is_refused(
    raisin: Endpoint, admin_client: Client, horizon: int | None
) -> None:
    draft = a_draft(raisin, horizon=horizon)
    emptied = {} if horizon is None else {"horizon": ""}
    wrong = form(draft, minimum_effect=0.0001, **emptied)
    page = admin_client.post(url("abtest", "change", draft.pk), wrong)
    assert list(page.context["adminform"].form.errors) == ["minimum_effect"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", " "),
        ("alpha", "nan"),
        ("horizon", 60),
        ("margin", 2.0),
        ("margin", 0.02),
        ("cost_fn", 1e300),
        ("title", "\u200b"),
        ("most_days", 0),
        ("challenger_share", 10_000),
        ("challenger", 0),
    ],
)
def test_it_refuses_what_is_wrong_beside_the_field(
    raisin: Endpoint, admin_client: Client, field: str, value: object
) -> None:
    draft = a_draft(raisin)
    page = admin_client.post(url("abtest", "change", draft.pk), form(draft, **{field: value}))
    assert list(page.context["adminform"].form.errors) == [field]
    assert not Event.objects.filter(verb="change_abtest").exists()


def test_the_challenger_is_one_of_the_endpoint(raisin: Endpoint, admin_client: Client) -> None:
    cast.registered_version(cast.an_endpoint("other"))
    page = admin_client.get(url("abtest", "change", a_draft(raisin).pk))
    offered = page.context["adminform"].form.fields["challenger"].queryset
    assert [str(version) for version in offered] == ["Raisin v2"]


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_test_that_was_started_is_only_read(
    raisin: Endpoint, admin_client: Client, is_stopped: bool
) -> None:
    test = a_test(raisin)
    if is_stopped:
        said = stopping.Stop(conclusion="inconclusive", reason=REASON)
        stopping.stop(test, said, actor=ALEX, now=NOON)
    page = url("abtest", "change", test.pk)
    assert admin_client.get(page).status_code == 200
    assert admin_client.post(page, form(test, title="mine")).status_code == 403
    assert admin_client.post(url("abtest", "delete", test.pk), {"post": "yes"}).status_code == 403
    test.refresh_from_db()
    assert test.title == "v1 or v2"


def test_none_is_added_here(raisin: Endpoint, admin_client: Client) -> None:
    assert admin_client.get(url("abtest", "add")).status_code == 403


def test_a_draft_is_deleted_on_the_record(raisin: Endpoint) -> None:
    client, page = staff("sam", *ROLES["scientist"]), url("abtest", "delete", a_draft(raisin).pk)
    assert client.post(page, {"post": "yes"}).status_code == 302
    assert not ABTest.objects.exists()
    assert Event.objects.get(verb="delete_abtest").actor_name == "sam"


def test_none_is_deleted_from_the_list(raisin: Endpoint, admin_client: Client) -> None:
    test = a_test(raisin)
    run_action(admin_client, "abtest", "delete_selected", [test.pk], post="yes")
    assert ABTest.objects.exists()


@pytest.mark.parametrize("action", ["start", "stop"])
def test_deciding_leads_to_the_page_of_one_test(
    raisin: Endpoint, admin_client: Client, action: str
) -> None:
    draft, other = a_draft(raisin), a_draft(raisin)
    done = run_action(admin_client, "abtest", action, [draft.pk])
    assert (done.status_code, done["Location"]) == (302, f"/tests/{draft.pk}/")
    both = run_action(admin_client, "abtest", action, [draft.pk, other.pk])
    assert both["Location"] == url("abtest")
    assert ABTest.objects.get(pk=draft.pk).state == "draft"


@pytest.mark.parametrize(
    ("role", "may"), [("scientist", True), ("approver", True), ("viewer", False)]
)
def test_who_changes_a_draft(role: str, may: bool, raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    client, page = staff("sam", *ROLES[role]), url("abtest", "change", draft.pk)
    assert client.get(page).status_code == 200
    assert client.post(page, form(draft)).status_code == (302 if may else 403)


def test_a_role_does_not_count_at_an_endpoint_for_members_only(raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    client = staff("sam", *ROLES["scientist"])
    assert "v1 or v2" in row(client)
    Endpoint.objects.update(members_only=True)
    assert "v1 or v2" not in row(client)
    assert client.post(url("abtest", "change", draft.pk), form(draft)).status_code == 302
    assert not Event.objects.filter(verb="change_abtest").exists()

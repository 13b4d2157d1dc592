"""The endpoint's form: what a promotion has to pass is set in one place, in words."""

from __future__ import annotations

import pytest
from django.test import Client

from endpoints.models import Endpoint, Event
from endpoints.services.configuring import SETTINGS, SWITCHED_OFF
from tests import cast
from tests.endpoints.admin.site import staff, url

pytestmark = pytest.mark.django_db


def test_it_works(raisin: Endpoint, admin_client: Client) -> None:
    page = url("endpoint", "change", raisin.pk)
    form = admin_client.get(page).context["adminform"].form
    changes = {"minimum_improvement": 0.02, "latency_budget_ms": 5.0, "auto_promote": True}
    inlines = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    done = admin_client.post(page, form.initial | inlines | changes)
    assert done.status_code == 302
    raisin.refresh_from_db()
    assert (raisin.minimum_improvement, raisin.latency_budget_ms) == (0.02, 5.0)
    assert raisin.auto_promote
    assert Event.objects.get(verb="change").after == changes


def test_every_setting_has_a_field(raisin: Endpoint, admin_client: Client) -> None:
    page = admin_client.get(url("endpoint", "change", raisin.pk))
    assert set(SETTINGS) == set(page.context["adminform"].form.fields)


@pytest.mark.parametrize(
    "words",
    [
        "95 of 100 single rows must be scored within this time.",
        "A version without intended use and limits fails its gate.",
        "Whoever asked for a promotion or trained the model cannot approve it.",
        "is better than production",
        "takes the place of the tolerance",
    ],
)
def test_it_explains_itself(raisin: Endpoint, admin_client: Client, words: str) -> None:
    assert words in admin_client.get(url("endpoint", "change", raisin.pk)).text


def test_who_may_not_overrule_a_gate_cannot_switch_it_off(raisin: Endpoint) -> None:
    approver = staff("alex", *cast.APPROVER)
    form = approver.get(url("endpoint", "change", raisin.pk)).context["adminform"].form
    assert set(SETTINGS) - set(form.fields) == set(SWITCHED_OFF)

"""How an endpoint is watched can be set in the admin, on the record; drift reports are only read."""

from __future__ import annotations

import pytest
from django.test import Client

from endpoints.models import Endpoint, Event, Monitor
from endpoints.roles import ROLES
from tests.endpoints.admin.site import staff, url
from tests.endpoints.services.alerts.made import a_column, a_report, days_ago

pytestmark = pytest.mark.django_db
FORM = {"window_rows": "500", "min_rows": "50", "alpha": "0.01", "effect": "0.2"}


@pytest.fixture
def monitor(raisin: Endpoint) -> Monitor:
    return Monitor.objects.create(endpoint=raisin, label_cursor=7)


def test_it_works(monitor: Monitor, admin_client: Client) -> None:
    assert admin_client.get(url("monitor")).status_code == 200
    page = url("monitor", "change", monitor.pk)
    assert admin_client.post(page, FORM).status_code == 302
    monitor.refresh_from_db()
    assert (monitor.window_rows, monitor.effect) == (500, 0.2)
    event = Event.objects.get(verb="change", subject="monitoring of raisin")
    assert (event.before, event.after) == (
        {"window_rows": 1000, "effect": 0.1},
        {"window_rows": 500, "effect": 0.2},
    )


def test_a_look_at_the_same_time_is_not_undone(
    monitor: Monitor, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from endpoints.admin.monitoring import MonitorAdmin

    save = MonitorAdmin.save_model

    def late(self: MonitorAdmin, *args: object, **kwargs: object) -> None:
        Monitor.objects.update(label_cursor=8)
        save(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(MonitorAdmin, "save_model", late)
    admin_client.post(url("monitor", "change", monitor.pk), FORM)
    monitor.refresh_from_db()
    assert (monitor.label_cursor, monitor.window_rows) == (8, 500)


@pytest.mark.parametrize(
    ("field", "value"), [("window_rows", "3"), ("alpha", "2"), ("min_rows", "1")]
)
def test_it_refuses_what_is_out_of_bounds(
    field: str, value: str, monitor: Monitor, admin_client: Client
) -> None:
    page = admin_client.post(url("monitor", "change", monitor.pk), FORM | {field: value})
    assert list(page.context["adminform"].form.errors) == [field]


def test_it_is_neither_added_nor_deleted(monitor: Monitor, admin_client: Client) -> None:
    assert admin_client.get(url("monitor", "add")).status_code == 403
    assert admin_client.get(url("monitor", "delete", monitor.pk)).status_code == 403


@pytest.mark.parametrize(
    ("role", "may"), [("scientist", True), ("approver", True), ("viewer", False)]
)
def test_who_sets_it(role: str, may: bool, monitor: Monitor) -> None:
    client, page = staff("sam", *ROLES[role]), url("monitor", "change", monitor.pk)
    assert client.get(page).status_code == 200
    assert client.post(page, FORM).status_code == (302 if may else 403)


def test_drift_reports_are_read(raisin: Endpoint, admin_client: Client) -> None:
    report = a_report(raisin.versions.get(number=1), days_ago(1), drifted=1, summary=b"123")
    a_column(report, "MinorAxisLength", psi=0.5)
    assert admin_client.get(url("driftreport")).status_code == 200
    page = admin_client.get(url("driftreport", "change", report.pk))
    assert "MinorAxisLength" in page.text
    assert admin_client.post(url("driftreport", "change", report.pk), {}).status_code == 403
    assert admin_client.get(url("driftreport", "add")).status_code == 403


def test_reports_of_hidden_endpoints_are_not_there(raisin: Endpoint) -> None:
    report = a_report(raisin.versions.get(number=1), days_ago(1))
    client, page = staff("sam", *ROLES["viewer"]), url("driftreport", "change", report.pk)
    assert client.get(page).status_code == 200
    Endpoint.objects.update(members_only=True)
    assert client.get(page).status_code == 302

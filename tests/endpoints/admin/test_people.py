"""Memberships in the admin: beside an endpoint, beside a person, in a list; each through the service."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from endpoints.models import Endpoint, Event, Membership
from tests import cast
from tests.endpoints.admin.site import run_action, staff, url

pytestmark = pytest.mark.django_db
EMPTY = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}


@pytest.fixture
def endpoint(db: None) -> Endpoint:
    return cast.an_endpoint()


@pytest.fixture
def olaf(db: None) -> User:
    return User.objects.create_user("olaf", password="olaf")


@pytest.fixture
def viewer(db: None) -> Group:
    return cast.role("viewer")


def events() -> list[str]:
    return list(Event.objects.exclude(verb="create").order_by("pk").values_list("verb", flat=True))


def page_of(person: User) -> str:
    return reverse("admin:auth_user_change", args=[person.pk])


def fields_of(client: Client, page: str) -> dict[str, object]:
    """Return what the page's own form would send."""
    form = client.get(page).context["adminform"].form
    given = {name: form.initial.get(name) for name in form.fields}
    given |= {"date_joined_0": "2026-11-02", "date_joined_1": "09:00:00"}
    filled = (pair for pair in given.items() if pair[1] is not None and pair[1] is not False)
    return dict(filled) | EMPTY


def test_it_works(endpoint: Endpoint, olaf: User, viewer: Group, admin_client: Client) -> None:
    chosen = {"user": olaf.pk, "endpoint": endpoint.pk, "role": viewer.pk}
    assert admin_client.post(url("membership", "add"), chosen).status_code == 302
    made = Membership.objects.get()
    assert "olaf" in admin_client.get(url("membership")).text
    admin_client.post(url("membership", "delete", made.pk), {"post": "yes"})
    assert not Membership.objects.exists()
    assert events() == ["add_member", "remove_member"]


@pytest.mark.parametrize("beside", ["endpoint", "user"])
def test_it_is_added_and_removed_beside(
    beside: str, endpoint: Endpoint, olaf: User, viewer: Group, admin_client: Client
) -> None:
    page = url("endpoint", "change", endpoint.pk) if beside == "endpoint" else page_of(olaf)
    other = ("user", olaf.pk) if beside == "endpoint" else ("endpoint", endpoint.pk)
    fields = fields_of(admin_client, page)
    new = {
        "memberships-TOTAL_FORMS": "1",
        f"memberships-0-{other[0]}": other[1],
        "memberships-0-role": viewer.pk,
    }
    assert admin_client.post(page, fields | new).status_code == 302
    made = Membership.objects.get()
    gone = {
        "memberships-TOTAL_FORMS": "1",
        "memberships-INITIAL_FORMS": "1",
        "memberships-0-id": made.pk,
        f"memberships-0-{beside}": made.endpoint_id if beside == "endpoint" else made.user_id,
        "memberships-0-DELETE": "on",
    }
    assert admin_client.post(page, fields | gone).status_code == 302
    assert not Membership.objects.exists()
    assert events() == ["add_member", "remove_member"]


def test_it_offers_the_roles_alone(endpoint: Endpoint, viewer: Group, admin_client: Client) -> None:
    cooks = Group.objects.create(name="cooks")
    page = admin_client.get(url("membership", "add"))
    offered = page.context["adminform"].form.fields["role"].queryset
    assert viewer in offered and cooks not in offered
    chosen = {"user": 1, "endpoint": endpoint.pk, "role": cooks.pk}
    assert admin_client.post(url("membership", "add"), chosen).status_code == 200
    assert not Membership.objects.exists()


def test_it_is_never_edited(
    endpoint: Endpoint, olaf: User, viewer: Group, admin_client: Client
) -> None:
    made = Membership.objects.create(user=olaf, endpoint=endpoint, role=viewer)
    page = url("membership", "change", made.pk)
    assert admin_client.post(page, {"role": viewer.pk}).status_code == 403


def test_it_refuses_staff_without_the_permission(
    endpoint: Endpoint, olaf: User, viewer: Group
) -> None:
    made = Membership.objects.create(user=olaf, endpoint=endpoint, role=viewer)
    client = staff("ina", "view_membership", "delete_membership", "view_endpoint")
    assert client.get(url("membership")).status_code == 200
    for page in (url("membership", "add"), url("membership", "delete", made.pk)):
        assert client.post(page, {"post": "yes"}).status_code == 403
    assert Membership.objects.exists()


def test_several_are_removed_at_once(
    endpoint: Endpoint, olaf: User, viewer: Group, admin_client: Client
) -> None:
    made = Membership.objects.create(user=olaf, endpoint=endpoint, role=viewer)
    action = {"action": "delete_selected", "_selected_action": [made.pk], "post": "yes"}
    admin_client.post(url("membership"), action)
    assert events() == ["remove_member"]


def test_a_group_changes_nothing_at_an_endpoint_for_members(endpoint: Endpoint) -> None:
    client = staff("ina", "view_endpoint", "change_endpoint", "promote_version")
    page = url("endpoint", "change", endpoint.pk)
    Endpoint.objects.filter(pk=endpoint.pk).update(members_only=True)
    assert client.post(page, {"name": "Mine"}).status_code == 403
    run_action(client, "endpoint", "pause", [endpoint.pk], confirmed="yes")
    endpoint.refresh_from_db()
    assert (endpoint.name, endpoint.paused_at) == ("Raisin", None)

"""Roles given and taken away, everywhere or at one endpoint, each change with its event."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User

from endpoints.errors import InvalidRequest, NotAllowed
from endpoints.models import Endpoint, Event, Membership
from endpoints.services import memberships
from endpoints.services.access import Caller, Need
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(db: None) -> Endpoint:
    return cast.an_endpoint()


@pytest.fixture
def olaf(db: None) -> User:
    return User.objects.create_user("olaf")


def told() -> list[tuple[str, str, str]]:
    events = Event.objects.exclude(verb="create").order_by("pk")
    return list(events.values_list("verb", "subject", "actor_name"))


def test_it_works(olaf: User, endpoint: Endpoint, admin_user: User) -> None:
    facts = {"user": olaf, "endpoint": endpoint, "role": cast.role("approver")}
    by = {"actor": Caller(user=admin_user), "now": cast.THEN}
    assert [memberships.add(**facts, **by) for _ in range(2)] == [True, False]
    assert Caller(user=olaf).may(Need.PROMOTE, endpoint)
    assert [memberships.remove(**facts, **by) for _ in range(2)] == [True, False]
    assert not Caller(user=olaf).may(Need.READ, endpoint)
    assert told() == [
        ("add_member", "approver olaf", "admin"),
        ("remove_member", "approver olaf", "admin"),
    ]
    assert Event.objects.filter(endpoint=endpoint, after={"user": "olaf", "role": "approver"})


def test_a_role_everywhere_is_a_group(olaf: User, endpoint: Endpoint) -> None:
    facts = {"user": olaf, "role": cast.role("viewer"), "actor": cast.SYSTEM, "now": cast.THEN}
    assert [memberships.grant(**facts) for _ in range(2)] == [True, False]
    assert Caller(user=User.objects.get(pk=olaf.pk)).may(Need.READ, endpoint)
    assert [memberships.withdraw(**facts) for _ in range(2)] == [True, False]
    assert not Caller(user=User.objects.get(pk=olaf.pk)).may(Need.READ, endpoint)
    assert [verb for verb, *_ in told()] == ["grant", "withdraw_role"]


def test_it_refuses_whoever_is_no_administrator(olaf: User, endpoint: Endpoint, alex: User) -> None:
    by = {"actor": Caller(user=alex), "now": cast.THEN}
    with pytest.raises(NotAllowed):
        memberships.add(user=olaf, endpoint=endpoint, role=cast.role("viewer"), **by)
    with pytest.raises(NotAllowed):
        memberships.grant(user=alex, role=cast.role("scientist"), **by)
    assert not Membership.objects.exists() and not alex.groups.exists()


def test_a_membership_is_no_permission_to_make_members(olaf: User, endpoint: Endpoint) -> None:
    role = cast.role("approver")
    role.permissions.add(Permission.objects.get(codename="add_membership"))
    Membership.objects.create(user=olaf, endpoint=endpoint, role=role)
    facts = {"user": olaf, "role": role, "actor": Caller(user=olaf), "now": cast.THEN}
    with pytest.raises(NotAllowed):
        memberships.grant(**facts)
    with pytest.raises(NotAllowed):
        memberships.add(endpoint=cast.an_endpoint("other"), **facts)


def test_it_refuses_a_group_that_is_no_role(olaf: User, endpoint: Endpoint) -> None:
    other = Group.objects.create(name="cooks")
    with pytest.raises(InvalidRequest, match="is no role; choose from viewer, scientist"):
        memberships.add(user=olaf, endpoint=endpoint, role=other, actor=cast.SYSTEM, now=cast.THEN)
    with pytest.raises(InvalidRequest):
        memberships.find_role("cooks")

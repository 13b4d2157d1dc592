"""Gives people a role, everywhere or at one endpoint, and takes it away; it knows nothing of HTTP.

Each change is an event. Doing it twice changes nothing.
"""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import Group, User
from django.db import transaction

from endpoints.errors import InvalidRequest
from endpoints.models import Endpoint, Membership
from endpoints.roles import ROLES
from endpoints.services import access, audit
from endpoints.services.access import Caller, Need


def find_role(name: str) -> Group:
    """Return one of the five groups."""
    if name not in ROLES:
        raise InvalidRequest(f"“{name[:80]}” is no role; choose from {', '.join(ROLES)}.")
    found = Group.objects.filter(name=name).first()
    if found is None:
        raise InvalidRequest(f"The group “{name}” was deleted; make it again in the admin.")
    return found


def roles_of(user: User) -> list[str]:
    """Return a person's roles in words, those everywhere first."""
    everywhere = user.groups.filter(name__in=ROLES).order_by("name").values_list("name", flat=True)
    somewhere = Membership.objects.filter(user=user).select_related("role", "endpoint")
    return [*everywhere, *(f"{member.role.name} at {member.endpoint.name}" for member in somewhere)]


def add(*, user: User, endpoint: Endpoint, role: Group, actor: Caller, now: datetime) -> bool:
    """Give a role at one endpoint. Returns False if the person has it there already."""
    access.require(actor, Need.MEMBERS)
    find_role(role.name)
    with transaction.atomic():
        _, is_new = Membership.objects.get_or_create(
            user=user, endpoint=endpoint, role=role, defaults={"created_at": now}
        )
        if is_new:
            _record("add_member", user, role, endpoint, actor=actor, now=now)
    return is_new


def remove(*, user: User, endpoint: Endpoint, role: Group, actor: Caller, now: datetime) -> bool:
    """Take a role at one endpoint away. Returns False if the person does not have it there."""
    access.require(actor, Need.MEMBERS)
    with transaction.atomic():
        there = Membership.objects.filter(user=user, endpoint=endpoint, role=role)
        removed, _ = there.delete()
        if removed:
            _record("remove_member", user, role, endpoint, actor=actor, now=now)
    return bool(removed)


def grant(*, user: User, role: Group, actor: Caller, now: datetime) -> bool:
    """Give a role everywhere but at endpoints for members only. Returns False if nothing changed."""
    access.require(actor, Need.MEMBERS)
    with transaction.atomic():
        if user.groups.filter(pk=role.pk).exists():
            return False
        user.groups.add(role)
        _record("grant", user, role, None, actor=actor, now=now)
    return True


def withdraw(*, user: User, role: Group, actor: Caller, now: datetime) -> bool:
    """Take a role that holds everywhere away; what the person has at single endpoints stays."""
    access.require(actor, Need.MEMBERS)
    with transaction.atomic():
        if not user.groups.filter(pk=role.pk).exists():
            return False
        user.groups.remove(role)
        _record("withdraw_role", user, role, None, actor=actor, now=now)
    return True


def _record(
    verb: str, user: User, role: Group, endpoint: Endpoint | None, *, actor: Caller, now: datetime
) -> None:
    place = {"user": user.get_username(), "role": role.name}
    gives = verb in ("add_member", "grant")
    audit.record(
        verb,
        actor=actor,
        endpoint=endpoint,
        subject=f"{role.name} {user.get_username()}"[:200],
        now=now,
        before=None if gives else place,
        after=place if gives else None,
    )

"""The five groups: what the migration made, and that each may what the roles say."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from endpoints.roles import ROLES
from endpoints.services.access import Need

pytestmark = pytest.mark.django_db
GIVEN_ONE_BY_ONE = {Need.OVERRIDE, Need.VIEW_INPUTS, Need.MEMBERS}


def make_groups() -> None:
    """Run the migration's step again, as after an upgrade."""
    migration = import_module("endpoints.migrations.0002_roles")
    state = MigrationLoader(connection).project_state(("endpoints", "0002_roles"))
    with connection.schema_editor() as editor:
        migration.make_groups(state.apps, editor)


def held(name: str) -> set[str]:
    codenames = Group.objects.get(name=name).permissions.values_list("codename", flat=True)
    return set(codenames)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ROLES)
def test_it_works(name: str) -> None:
    Group.objects.filter(name=name).delete()
    make_groups()
    assert held(name) == set(ROLES[name])


@pytest.mark.django_db(transaction=True)
def test_it_keeps_what_an_administrator_added() -> None:
    make_groups()
    extra = Permission.objects.get(codename="override_gates")
    Group.objects.get(name="approver").permissions.add(extra)
    make_groups()
    assert held("approver") == {*ROLES["approver"], "override_gates"}


def test_every_codename_is_a_permission() -> None:
    known = Permission.objects.filter(content_type__app_label="endpoints")
    known_names = set(known.values_list("codename", flat=True))
    assert {name for names in ROLES.values() for name in names} <= known_names
    assert {need.value.partition(".")[2] for need in Need} <= known_names


def test_every_need_is_met_by_a_role_or_given_one_by_one() -> None:
    met = {f"endpoints.{name}" for names in ROLES.values() for name in names}
    assert {need for need in Need if need.value not in met} == GIVEN_ONE_BY_ONE


@pytest.mark.parametrize("name", ROLES)
def test_everybody_with_a_role_reads(name: str) -> None:
    assert set(ROLES["viewer"]) <= set(ROLES[name])

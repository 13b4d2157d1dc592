"""Who sees which batches: their own, and those of endpoints whose inputs they may see."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from endpoints.errors import NotAuthenticated, NotFound
from endpoints.models import BatchJob, Endpoint, Membership
from endpoints.services.access import Caller
from endpoints.services.batches import visible
from tests import cast
from tests.endpoints.services.decisions import NOON

pytestmark = pytest.mark.django_db


def batch(endpoint: Endpoint, actor: Caller) -> BatchJob:
    return BatchJob.objects.create(
        endpoint=endpoint,
        version=endpoint.versions.get(number=1),
        file_name="a.csv",
        size=1,
        sha256="",
        expires_at=NOON,
        created_by=actor.person,
        created_by_name=actor.name,
        key=actor.key,
    )


def seen(actor: Caller) -> set[BatchJob]:
    return set(visible.jobs(actor))


@pytest.fixture
def analyst(db: None) -> User:
    """Without the permission to see inputs."""
    return cast.person("amy", tuple(name for name in cast.ANALYST if name != "view_inputs"))


def test_it_works(raisin: Endpoint, analyst: User) -> None:
    own = batch(raisin, Caller(user=analyst))
    assert seen(Caller(user=analyst)) == {own}
    assert visible.job(Caller(user=analyst), own.pk) == own


def test_others_are_not_there(raisin: Endpoint, analyst: User) -> None:
    other = batch(raisin, Caller(system="tests"))
    assert seen(Caller(user=analyst)) == set()
    with pytest.raises(NotFound, match="no batch job"):
        visible.job(Caller(user=analyst), other.pk)


def test_who_sees_inputs_sees_all(raisin: Endpoint, ana: User, analyst: User) -> None:
    jobs = {batch(raisin, Caller(user=analyst)), batch(raisin, Caller(system="tests"))}
    assert seen(Caller(user=ana)) == jobs
    assert seen(Caller(system="tests")) == jobs


def test_inputs_of_one_endpoint_show_its_batches_alone(raisin: Endpoint, analyst: User) -> None:
    member = Membership.objects.create(endpoint=raisin, user=analyst, role=cast.role("analyst"))
    inputs = cast.person("ina", ("view_inputs",)).user_permissions.get()
    member.role.permissions.add(inputs)
    here = batch(raisin, Caller(system="tests"))
    elsewhere = BatchJob.objects.get(pk=batch(raisin, Caller(system="tests")).pk)
    elsewhere.endpoint = cast.an_endpoint("other")
    elsewhere.save()
    assert seen(Caller(user=analyst)) == {here}


def test_a_key_sees_its_own(raisin: Endpoint, dev: User) -> None:
    first, second = (Caller(key=cast.new_key(dev, scopes=["predict"])[0]) for _ in range(2))
    own = batch(raisin, first)
    assert (seen(first), seen(second)) == ({own}, set())
    assert seen(Caller(user=dev)) == set()


def test_what_a_managing_key_does_is_its_makers(raisin: Endpoint, dev: User) -> None:
    key = Caller(key=cast.new_key(dev, scopes=["predict", "manage"])[0])
    own = batch(raisin, key)
    assert seen(key) == seen(Caller(user=dev)) == {own}


def test_who_is_a_member_no_more_sees_nothing(raisin: Endpoint, analyst: User) -> None:
    batch(raisin, Caller(user=analyst))
    Endpoint.objects.update(members_only=True)
    assert seen(Caller(user=analyst)) == set()


def test_nobody_known_must_log_in(raisin: Endpoint) -> None:
    with pytest.raises(NotAuthenticated):
        visible.jobs(Caller())


@pytest.mark.parametrize("key", ["", "\0", "\ud800", "0" * 33, "'; --"])
def test_what_is_no_id_is_not_there(key: str, raisin: Endpoint) -> None:
    with pytest.raises(NotFound):
        visible.job(Caller(system="tests"), key)

"""Making keys: for whom, and never with more than their maker has."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from endpoints.errors import NotAllowed
from endpoints.models import ApiKey, Endpoint, Event, Membership
from endpoints.models.endpoint import Scope
from endpoints.services import keys
from endpoints.services.access import Caller
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(db: None) -> Endpoint:
    return cast.an_endpoint("private", public=False)


def test_it_works(dev: User, endpoint: Endpoint) -> None:
    key, text = cast.new_key(dev, scopes=Scope.values, endpoint=endpoint)
    assert keys.authenticate(text, cast.THEN) == key
    event = Event.objects.get(verb="create_key")
    assert (event.actor_name, event.endpoint) == ("dev", endpoint)


@pytest.mark.parametrize(
    ("person", "may"),
    [
        ("dev", ["predict", "feedback", "read", "manage"]),
        ("dana", ["predict", "read", "manage"]),
        ("alex", ["predict", "read", "manage"]),
        ("ana", ["predict", "read"]),
    ],
)
def test_it_hands_on_what_its_maker_has(
    person: str, may: list[str], request: pytest.FixtureRequest
) -> None:
    maker: User = request.getfixturevalue(person)
    assert keys.scopes_for(Caller(user=maker)) == may


@pytest.mark.parametrize("person", ["eve", "ana"])
def test_it_refuses_whoever_may_have_no_keys(person: str, request: pytest.FixtureRequest) -> None:
    maker: User = request.getfixturevalue(person)
    with pytest.raises(NotAllowed, match="manage_own_keys"):
        cast.new_key(maker, scopes=["read"])
    assert not ApiKey.objects.exists()


def test_it_refuses_a_scope_that_its_maker_lacks(dana: User) -> None:
    with pytest.raises(NotAllowed, match="add_feedback"):
        cast.new_key(dana, scopes=["read", "feedback"])
    assert not ApiKey.objects.exists()


def test_a_developer_of_one_endpoint_makes_keys_for_it_alone(endpoint: Endpoint) -> None:
    user = User.objects.create_user("olaf")
    Membership.objects.create(user=user, endpoint=endpoint, role=cast.role("developer"))
    other = cast.an_endpoint("other")
    assert cast.new_key(user, scopes=["predict"], endpoint=endpoint)
    with pytest.raises(NotAllowed, match="make the key for one of them"):
        cast.new_key(user, scopes=["predict"])
    with pytest.raises(NotAllowed, match="at “other”"):
        cast.new_key(user, scopes=["predict"], endpoint=other)
    assert cast.new_key(user, scopes=["manage"])

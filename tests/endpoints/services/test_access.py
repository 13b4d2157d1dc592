"""Who may do what where: groups at large, memberships at one endpoint, scopes and makers of keys."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from pytest_django import DjangoAssertNumQueries

from endpoints.errors import NotAllowed, NotAuthenticated, NotFound
from endpoints.models import ApiKey, Endpoint, Membership, Run
from endpoints.models.endpoint import Scope
from endpoints.services import access
from endpoints.services.access import Caller, Need
from tests import cast

pytestmark = pytest.mark.django_db

NOBODY = Caller()
SYSTEM = Caller(system="tests")


@pytest.fixture
def open_one(db: None) -> Endpoint:
    return cast.an_endpoint("open", public=False)


@pytest.fixture
def closed(db: None) -> Endpoint:
    """An endpoint for members only."""
    endpoint = cast.an_endpoint("closed", public=False)
    endpoint.members_only = True
    endpoint.save(update_fields=["members_only"])
    return endpoint


@pytest.fixture
def outsider(db: None) -> User:
    return User.objects.create_user("olaf")


def join(user: User, endpoint: Endpoint, role: str = "viewer") -> Caller:
    Membership.objects.create(user=user, endpoint=endpoint, role=cast.role(role))
    return Caller(user=user)


def slugs(caller: Caller, need: Need = Need.READ) -> list[str]:
    return [endpoint.slug for endpoint in access.endpoints_where(caller, need)]


def test_it_works(eve: User, open_one: Endpoint, closed: Endpoint) -> None:
    caller = Caller(user=eve)
    assert slugs(caller) == ["open"]
    assert access.get_endpoint(caller=caller, slug="open", need=Need.READ) == open_one
    with pytest.raises(NotAllowed, match="eve lacks the permission “endpoints.promote_version”"):
        access.get_endpoint(caller=caller, slug="open", need=Need.PROMOTE)


def test_a_group_counts_at_every_endpoint_but_those_for_members(
    outsider: User, open_one: Endpoint, closed: Endpoint
) -> None:
    outsider.groups.add(cast.role("approver"))
    caller = Caller(user=outsider)
    assert caller.may(Need.PROMOTE, open_one)
    assert not caller.may(Need.PROMOTE, closed)


def test_a_membership_counts_at_its_endpoint_alone(
    outsider: User, open_one: Endpoint, closed: Endpoint
) -> None:
    caller = join(outsider, closed, "approver")
    assert caller.may(Need.PROMOTE, closed)
    assert caller.may(Need.PROMOTE)
    assert not caller.may(Need.PROMOTE, open_one)
    assert not caller.may(Need.READ, open_one)
    assert slugs(caller) == slugs(caller, Need.PROMOTE) == ["closed"]


def test_memberships_add_to_groups(eve: User, open_one: Endpoint, closed: Endpoint) -> None:
    caller = join(eve, open_one, "scientist")
    assert slugs(caller, Need.REGISTER) == ["open"]
    assert slugs(join(eve, closed)) == ["closed", "open"]


@pytest.mark.parametrize("need", [Need.CREATE, Need.TRAIN])
def test_what_is_done_at_no_endpoint_needs_a_group(
    need: Need, outsider: User, closed: Endpoint
) -> None:
    assert not join(outsider, closed, "scientist").may(need)
    outsider = User.objects.get(pk=outsider.pk)
    outsider.groups.add(cast.role("scientist"))
    assert Caller(user=outsider).may(need)


def test_an_administrator_sees_and_may_everything(
    admin_user: User, open_one: Endpoint, closed: Endpoint
) -> None:
    caller = Caller(user=admin_user)
    assert slugs(caller) == ["closed", "open"]
    assert all(caller.may(need, closed) and caller.may(need) for need in Need)


def test_the_command_line_may_everything(closed: Endpoint) -> None:
    assert slugs(SYSTEM) == ["closed"]
    assert all(SYSTEM.may(need, closed) and SYSTEM.may(need) for need in Need)


def test_a_closed_account_may_nothing(admin_user: User, closed: Endpoint) -> None:
    admin_user.is_active = False
    assert not any(Caller(user=admin_user).may(need, closed) for need in Need)


def test_who_has_no_role_learns_nothing(outsider: User, open_one: Endpoint) -> None:
    caller = Caller(user=outsider)
    for ask in (access.visible_endpoints, access.visible_runs):
        with pytest.raises(NotAllowed, match=r"endpoints\.view_endpoint"):
            ask(caller)
    assert not access.visible_versions(caller).exists()


def test_the_unknown_are_asked_to_log_in(open_one: Endpoint, closed: Endpoint) -> None:
    with pytest.raises(NotAuthenticated):
        access.get_endpoint(caller=NOBODY, slug="open", need=Need.READ)
    with pytest.raises(NotAuthenticated):
        access.visible_endpoints(NOBODY)


@pytest.mark.parametrize("need", [Need.READ, Need.PREDICT, Need.PROMOTE])
def test_an_endpoint_for_members_is_as_if_not_there(
    need: Need, alex: User, closed: Endpoint
) -> None:
    said = []
    for caller in (NOBODY, Caller(user=alex)):
        for slug in ("closed", "nowhere"):
            with pytest.raises(NotFound) as caught:
                access.get_endpoint(caller=caller, slug=slug, need=need)
            said.append(caught.value.message.replace(slug, "it"))
    assert len(set(said)) == 1


def test_a_member_who_lacks_the_role_is_told(outsider: User, closed: Endpoint) -> None:
    with pytest.raises(NotAllowed, match=r"promote_version” at “closed”"):
        access.get_endpoint(caller=join(outsider, closed), slug="closed", need=Need.PROMOTE)


def test_public_predictions_are_public_to_members_of_nothing_too(
    eve: User, closed: Endpoint
) -> None:
    Endpoint.objects.update(public_predictions=True)
    for caller in (NOBODY, Caller(user=eve)):
        found = access.get_endpoint(caller=caller, slug="closed", need=Need.PREDICT)
        assert found == closed
        with pytest.raises(NotFound):
            access.get_endpoint(caller=caller, slug="closed", need=Need.READ)


def test_runs_are_hidden_where_all_that_came_of_them_is(eve: User, closed: Endpoint) -> None:
    secret, shared, plain = (cast.trained_run(name=name) for name in "abc")
    cast.registered_version(closed, run=secret)
    cast.registered_version(closed, run=shared)
    cast.registered_version(cast.an_endpoint("open"), run=shared)

    def seen(caller: Caller) -> set[Run]:
        return set(access.visible_runs(caller))

    assert seen(Caller(user=eve)) == {shared, plain}
    assert seen(SYSTEM) == {secret, shared, plain}
    olaf = User.objects.create_user("olaf")
    assert seen(join(olaf, closed)) == {secret, shared}
    versions = access.visible_versions(Caller(user=eve))
    assert {version.endpoint.slug for version in versions} == {"open"}


def test_groups_that_suffice_spare_the_question_for_memberships(
    outsider: User, open_one: Endpoint, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    outsider.groups.add(cast.role("approver"))
    caller = Caller(user=User.objects.get(pk=outsider.pk))
    with django_assert_num_queries(2):
        assert caller.may(Need.READ, open_one)
        assert caller.may(Need.PROMOTE, open_one)
    with django_assert_num_queries(1):
        assert not caller.may(Need.OVERRIDE, open_one)
        assert not caller.may(Need.REGISTER, open_one)


def key_of(user: User, *scopes: str, endpoint: Endpoint | None = None) -> Caller:
    return Caller(key=cast.new_key(user, scopes=scopes, endpoint=endpoint)[0])


def test_a_key_does_what_its_scope_says(dev: User, open_one: Endpoint) -> None:
    caller = key_of(dev, Scope.PREDICT)
    assert caller.may(Need.PREDICT, open_one)
    for need in (Need.READ, Need.FEEDBACK, Need.OWN_KEYS):
        assert not caller.may(need, open_one)


def test_a_key_to_manage_does_what_its_maker_may_now(alex: User, open_one: Endpoint) -> None:
    key = key_of(alex, Scope.MANAGE).key
    assert key is not None

    def caller() -> Caller:
        return Caller(key=ApiKey.objects.get(pk=key.pk))

    assert caller().may(Need.READ, open_one) and caller().may(Need.PROMOTE, open_one)
    assert not caller().may(Need.REGISTER, open_one)
    alex.user_permissions.remove(Permission.objects.get(codename="promote_version"))
    assert not caller().may(Need.PROMOTE, open_one)
    User.objects.filter(pk=alex.pk).update(is_active=False)
    assert not any(caller().may(need, open_one) for need in Need)
    with pytest.raises(NotAllowed):
        access.visible_endpoints(caller())


def test_a_key_of_one_endpoint_knows_no_other(
    admin_user: User, open_one: Endpoint, closed: Endpoint
) -> None:
    caller = key_of(admin_user, *Scope.values, endpoint=open_one)
    assert slugs(caller) == slugs(caller, Need.PROMOTE) == ["open"]
    assert caller.may(Need.PROMOTE, open_one)
    assert not any(caller.may(need, closed) for need in Need)
    with pytest.raises(NotFound):
        access.get_endpoint(caller=caller, slug="closed", need=Need.READ)


@pytest.mark.parametrize("need", [Need.CREATE, Need.TRAIN, Need.OWN_KEYS])
def test_a_key_of_one_endpoint_does_nothing_at_large(
    need: Need, admin_user: User, open_one: Endpoint
) -> None:
    assert not key_of(admin_user, Scope.MANAGE, endpoint=open_one).may(need)


def test_a_key_of_all_endpoints_reaches_those_for_members_with_its_maker(
    dev: User, open_one: Endpoint, closed: Endpoint
) -> None:
    key = key_of(dev, Scope.READ, Scope.PREDICT).key

    def found() -> Endpoint:
        return access.get_endpoint(caller=Caller(key=key), slug="closed", need=Need.PREDICT)

    with pytest.raises(NotFound):
        found()
    assert slugs(Caller(key=key)) == ["open"]
    join(dev, closed)
    assert found() == closed
    assert slugs(Caller(key=key)) == ["closed", "open"]
    Membership.objects.all().delete()
    with pytest.raises(NotFound):
        found()


def test_a_key_made_for_an_endpoint_stays_the_applications(dev: User, closed: Endpoint) -> None:
    join(dev, closed, "developer")
    caller = key_of(dev, Scope.PREDICT, endpoint=closed)
    Membership.objects.all().delete()
    assert access.get_endpoint(caller=caller, slug="closed", need=Need.PREDICT) == closed


def test_a_refused_key_learns_which_scope_it_lacks(dev: User, open_one: Endpoint) -> None:
    with pytest.raises(NotAllowed, match="key tests lacks the scope “manage” at “open”"):
        access.require(key_of(dev, Scope.READ), Need.STAGE, open_one)
    with pytest.raises(NotAllowed, match=r"lacks the permission “endpoints\.stage_version”"):
        access.require(key_of(dev, Scope.MANAGE), Need.STAGE, open_one)


def test_keys_that_are_called_alike_are_told_apart(dev: User) -> None:
    first, second = (key_of(dev, Scope.PREDICT) for _ in range(2))
    assert first.name == second.name
    callers = [first, second, Caller(user=dev), SYSTEM, NOBODY]
    assert len({caller.identity for caller in callers}) == len(callers)

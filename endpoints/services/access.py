"""Who may do what: the only way for a view to obtain an endpoint; it knows nothing of HTTP.

A person's groups count at every endpoint but those for members only; a membership adds a group's
permissions at one endpoint. An administrator may do everything. A key does what its scopes say; with
the scope `manage` also what its maker may do at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet

from endpoints.errors import NotAllowed, NotAuthenticated, NotFound
from endpoints.models import AlgorithmVersion, ApiKey, Endpoint, Membership, Run
from endpoints.models.endpoint import EndpointQuerySet, Scope
from endpoints.models.run import RunQuerySet
from endpoints.models.version import AlgorithmVersionQuerySet
from mlcore.errors import cut


class Need(StrEnum):
    """What a caller wants to do. The value is a person's permission."""

    READ = "endpoints.view_endpoint"
    READ_RUNS = "endpoints.view_run"
    PREDICT = "endpoints.try_endpoint"
    FEEDBACK = "endpoints.add_feedback"
    CREATE = "endpoints.add_endpoint"
    CONFIGURE = "endpoints.change_endpoint"
    TRAIN = "endpoints.add_run"
    REGISTER = "endpoints.register_version"
    STAGE = "endpoints.stage_version"
    REQUEST = "endpoints.request_promotion"
    PROMOTE = "endpoints.promote_version"
    ROLL_BACK = "endpoints.rollback_endpoint"
    ARCHIVE = "endpoints.archive_version"
    OVERRIDE = "endpoints.override_gates"
    VIEW_INPUTS = "endpoints.view_inputs"
    OWN_KEYS = "endpoints.manage_own_keys"
    MEMBERS = "endpoints.add_membership"
    MONITOR = "endpoints.change_monitor"
    ALERT_RULES = "endpoints.change_alertrule"
    ALERTS = "endpoints.change_alert"
    DRAFT_TEST = "endpoints.add_abtest"


SCOPE_OF = {
    Need.READ: Scope.READ,
    Need.READ_RUNS: Scope.READ,
    Need.PREDICT: Scope.PREDICT,
    Need.FEEDBACK: Scope.FEEDBACK,
}
"""What a key may do by its scope alone; everything else asks for `manage` and for its maker."""

OPEN_WHERE_PUBLIC = frozenset({Need.PREDICT, Need.FEEDBACK})
BY_GROUP_ALONE = frozenset({Need.CREATE, Need.TRAIN, Need.MEMBERS})
"""What reaches beyond single endpoints, so that no membership allows it."""
BEYOND_ONE_ENDPOINT = BY_GROUP_ALONE | {Need.OWN_KEYS}
"""What a key of one endpoint may not do at large."""


@dataclass(frozen=True)
class Caller:
    """A person, an application with a key, the command line, or nobody known."""

    user: User | None = None
    key: ApiKey | None = None
    system: str = ""

    @property
    def is_known(self) -> bool:
        return self.user is not None or self.key is not None or bool(self.system)

    @property
    def person(self) -> User | None:
        """The person who answers for it: the one who calls, or who made the key to manage with."""
        if self.key is not None:
            return self.key.created_by if Scope.MANAGE in self.key.scopes else None
        return self.user

    @property
    def name(self) -> str:
        if self.user is not None:
            return self.user.get_username()
        if self.key is not None:
            person = self.person  # whoever likes may call a key “alex”
            of = f" of {person.get_username()}" if person is not None else ""
            return f"key {self.key.name}{of}"[:150]
        return self.system or "anonymous"

    @property
    def identity(self) -> str:
        """Who it is wherever forms and requests are told apart by sender: keys may be called alike."""
        return f"key {self.key.prefix}" if self.key is not None else f"person {self.name}"

    def may(self, need: Need, endpoint: Endpoint | None = None) -> bool:
        """Say whether the caller may do this at an endpoint; without one, whether anywhere."""
        if self.system:
            return True
        key = self.key
        if key is not None and key.endpoint_id is not None:
            if is_of_another(key, endpoint) or (endpoint is None and need in BEYOND_ONE_ENDPOINT):
                return False
            endpoint = endpoint or key.endpoint
        if key is not None and self.has_scope(need):
            return endpoint is None or self._reaches(key, endpoint)
        return self._person_may(need, endpoint)

    def may_everywhere(self, need: Need) -> bool:
        """Say whether a person's groups allow this, not just a membership somewhere."""
        person = self.person
        return bool(self.system) or (person is not None and person.has_perm(need.value))

    def has_scope(self, need: Need) -> bool:
        """Say whether it is a key that may do this whoever made it."""
        return self.key is not None and SCOPE_OF.get(need) in self.key.scopes

    def knows(self, endpoint: Endpoint) -> bool:
        """Say whether the caller may learn that the endpoint exists."""
        if self.key is not None and is_of_another(self.key, endpoint):
            return False
        if self.system or not endpoint.members_only:
            return True
        if self.key is not None:
            return self._reaches(self.key, endpoint)
        return self._person_may(Need.READ, endpoint)

    def _person_may(self, need: Need, endpoint: Endpoint | None) -> bool:
        person = self.person
        if person is None or not person.is_active:
            return False
        if person.is_superuser:
            return True
        groups_count = endpoint is None or not endpoint.members_only
        if groups_count and person.has_perm(need.value):
            return True
        if endpoint is not None:
            return need.value in self._roles.get(endpoint.pk, ())
        if need in BY_GROUP_ALONE:
            return False
        return any(need.value in allowed for allowed in self._roles.values())

    def _reaches(self, key: ApiKey, endpoint: Endpoint) -> bool:
        """A key of all endpoints reaches one for members only if its maker is a member."""
        if key.endpoint_id is not None or not endpoint.members_only or key.created_by.is_superuser:
            return True
        return Need.READ.value in self._roles.get(endpoint.pk, ())

    @cached_property
    def _roles(self) -> dict[int, set[str]]:
        """What memberships allow, by endpoint; read once a caller, where groups do not suffice."""
        person = self.key.created_by if self.key is not None else self.user
        return permissions_by_endpoint(person) if person is not None else {}


def visible_endpoints(caller: Caller) -> EndpointQuerySet:
    """Return the endpoints whose existence the caller may know."""
    return endpoints_where(caller, Need.READ)


def endpoints_where(caller: Caller, need: Need) -> EndpointQuerySet:
    """Return the endpoints at which the caller may do this; raises if there can be none."""
    require(caller, need)
    return Endpoint.objects.filter(_allowing(caller, need))


def visible_versions(caller: Caller) -> AlgorithmVersionQuerySet:
    """Return the versions at endpoints that the caller may know; none is no error."""
    known = Endpoint.objects.filter(_allowing(caller, Need.READ))
    return AlgorithmVersion.objects.filter(endpoint__in=known)


def visible_runs(caller: Caller) -> RunQuerySet:
    """Return the runs that the caller may see.

    Who reads runs sees all but those that led only to endpoints they may not know; who knows but
    some endpoints sees what led there.
    """
    versions = AlgorithmVersion.objects.filter(run=OuterRef("pk"))
    if not reads_all_runs(caller):
        return Run.objects.filter(Exists(versions.filter(endpoint__in=visible_endpoints(caller))))
    allowing = _allowing(caller, Need.READ)
    if not allowing:
        return Run.objects.all()
    known = Endpoint.objects.filter(allowing)
    is_hidden = Exists(versions.exclude(endpoint__in=known))
    return Run.objects.filter(~is_hidden | Exists(versions.filter(endpoint__in=known)))


def get_endpoint(*, caller: Caller, slug: str, need: Need) -> Endpoint:
    """Return the endpoint if the caller may do this with it.

    Raises NotFound (also where its existence is nobody's business), NotAuthenticated (nobody known)
    or NotAllowed (known, but not for this).
    """
    return admit(Endpoint.objects.filter(slug=slug).first(), caller=caller, slug=slug, need=need)


def admit(endpoint: Endpoint | None, *, caller: Caller, slug: str, need: Need) -> Endpoint:
    """Return the endpoint that was found under this slug, as `get_endpoint` does."""
    if endpoint is not None and _is_open(caller, need, endpoint):
        return endpoint
    if endpoint is None or not caller.knows(endpoint):
        raise NotFound(f"There is no endpoint “{cut(slug)}”.")
    require(caller, need, endpoint)
    return endpoint


def require(caller: Caller, need: Need, endpoint: Endpoint | None = None) -> None:
    if caller.may(need, endpoint):
        return
    if not caller.is_known:
        raise NotAuthenticated("Log in, or send an API key as “Authorization: Bearer <key>”.")
    where = f" at “{endpoint.slug}”" if endpoint is not None else ""
    raise NotAllowed(f"{caller.name} lacks {_lacking(caller, need)}{where}.")


def permissions_by_endpoint(person: User) -> dict[int, set[str]]:
    """Return what a person's memberships allow, by the key of the endpoint."""
    found: dict[int, set[str]] = {}
    permission = "role__permissions__content_type__app_label", "role__permissions__codename"
    memberships = Membership.objects.filter(user=person).order_by()
    for endpoint, app, codename in memberships.values_list("endpoint", *permission):
        found.setdefault(endpoint, set()).add(f"{app}.{codename}")
    return found


def _is_open(caller: Caller, need: Need, endpoint: Endpoint) -> bool:
    """Say whether anyone may; a key of another endpoint is its sender's mistake even there."""
    is_mistaken = caller.key is not None and is_of_another(caller.key, endpoint)
    return need in OPEN_WHERE_PUBLIC and endpoint.public_predictions and not is_mistaken


def _lacking(caller: Caller, need: Need) -> str:
    """Say what would help: a scope to a key without it, else a permission."""
    wanted = SCOPE_OF.get(need, Scope.MANAGE)
    if caller.key is not None and not {wanted, Scope.MANAGE} & set(caller.key.scopes):
        return f"the scope “{wanted.value}”"
    return f"the permission “{need.value}”"


def _allowing(caller: Caller, need: Need) -> Q:
    """The endpoints at which the caller may do this; memberships are asked within the query."""
    if caller.system:
        return Q()
    key = caller.key
    only = Q(pk=key.endpoint_id) if key is not None and key.endpoint_id is not None else Q()
    if key is not None and caller.has_scope(need):
        return only or _without_hidden(key.created_by)
    person = caller.person
    if person is None or not person.is_active:
        return Q(pk__in=())
    if person.is_superuser:
        return only
    mine = Q(pk__in=_by_membership(person, need))
    return only & (mine | Q(members_only=False) if person.has_perm(need.value) else mine)


def _without_hidden(maker: User) -> Q:
    """All endpoints but those for members only whose member the maker of a key is not."""
    if maker.is_superuser:
        return Q()
    return Q(members_only=False) | Q(pk__in=_by_membership(maker, Need.READ))


def _by_membership(person: User, need: Need) -> QuerySet[Membership, int]:
    app, codename = need.value.split(".")
    allowing = Membership.objects.filter(
        user=person,
        role__permissions__content_type__app_label=app,
        role__permissions__codename=codename,
    )
    return allowing.order_by().values_list("endpoint", flat=True)


def reads_all_runs(caller: Caller) -> bool:
    if caller.key is not None and caller.key.endpoint_id is not None:
        return False
    return caller.has_scope(Need.READ_RUNS) or caller.may_everywhere(Need.READ_RUNS)


def is_of_another(key: ApiKey, endpoint: Endpoint | None) -> bool:
    """Say whether the key is of one endpoint and this is not it."""
    return endpoint is not None and key.endpoint_id not in (None, endpoint.pk)

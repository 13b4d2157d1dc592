"""Who may do what: the only way for a view to obtain an endpoint; it knows nothing of HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.contrib.auth.models import User

from endpoints.errors import NotAllowed, NotAuthenticated, NotFound
from endpoints.models import AlgorithmVersion, ApiKey, Endpoint, Run
from endpoints.models.endpoint import EndpointQuerySet
from endpoints.models.run import RunQuerySet


class Need(StrEnum):
    """What a caller wants to do. The value is a key's scope or a user's permission."""

    READ = "read"
    PREDICT = "predict"
    FEEDBACK = "feedback"
    TRY = "endpoints.try_endpoint"
    CREATE = "endpoints.add_endpoint"
    TRAIN = "endpoints.add_run"
    REGISTER = "endpoints.register_version"
    STAGE = "endpoints.stage_version"
    PROMOTE = "endpoints.promote_version"
    ROLL_BACK = "endpoints.rollback_endpoint"
    ARCHIVE = "endpoints.archive_version"
    VIEW_INPUTS = "endpoints.view_inputs"


OPEN_TO_MEMBERS = frozenset({Need.READ, Need.PREDICT, Need.FEEDBACK})
OPEN_WHERE_PUBLIC = frozenset({Need.PREDICT, Need.FEEDBACK})


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
    def name(self) -> str:
        if self.user is not None:
            return self.user.get_username()
        if self.key is not None:
            return f"key {self.key.name}"[:150]
        return self.system or "anonymous"

    def may(self, need: Need) -> bool:
        """Say whether the caller may do this somewhere; `get_endpoint` asks for one endpoint."""
        if self.system:
            return True
        if self.key is not None:
            return need.value in self.key.scopes
        if self.user is None or not self.user.is_active:
            return False
        return need in OPEN_TO_MEMBERS or self.user.has_perm(need.value)


def visible_endpoints(caller: Caller) -> EndpointQuerySet:
    """Return the endpoints whose existence the caller may know."""
    require(caller, Need.READ)
    if caller.key is not None and caller.key.endpoint_id is not None:
        return Endpoint.objects.filter(pk=caller.key.endpoint_id)
    return Endpoint.objects.all()


def visible_runs(caller: Caller) -> RunQuerySet:
    """Return the runs that the caller may see: a key of one endpoint knows only what led there."""
    require(caller, Need.READ)
    if caller.key is not None and caller.key.endpoint_id is not None:
        versions = AlgorithmVersion.objects.filter(endpoint=caller.key.endpoint_id)
        return Run.objects.filter(pk__in=versions.values("run"))
    return Run.objects.all()


def get_endpoint(*, caller: Caller, slug: str, need: Need) -> Endpoint:
    """Return the endpoint if the caller may do this with it.

    Raises NotFound, NotAuthenticated (nobody known) or NotAllowed (known, but not for this).
    """
    endpoint = Endpoint.objects.filter(slug=slug).first()
    if endpoint is None or _is_bound_elsewhere(caller, endpoint):
        raise NotFound(f"There is no endpoint “{slug}”.")
    if need in OPEN_WHERE_PUBLIC and endpoint.public_predictions:
        return endpoint
    require(caller, need)
    return endpoint


def require(caller: Caller, need: Need) -> None:
    if caller.may(need):
        return
    if not caller.is_known:
        raise NotAuthenticated("Log in, or send an API key as “Authorization: Bearer <key>”.")
    raise NotAllowed(f"{caller.name} lacks the permission “{need.value}”.")


def _is_bound_elsewhere(caller: Caller, endpoint: Endpoint) -> bool:
    return caller.key is not None and caller.key.endpoint_id not in (None, endpoint.pk)

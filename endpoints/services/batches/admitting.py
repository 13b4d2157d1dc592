"""Who may send a file at all, asked before it is read and says for which endpoint it is."""

from __future__ import annotations

from endpoints.errors import NotAuthenticated
from endpoints.models import Endpoint
from endpoints.services import access
from endpoints.services.access import Caller, Need

LOG_IN = "Log in, or send an API key as “Authorization: Bearer <key>”."


def require_known(caller: Caller) -> None:
    """Files are kept for somebody, so unlike a prediction a batch is never anonymous."""
    if not caller.is_known:
        raise NotAuthenticated(LOG_IN)


def require_somewhere(caller: Caller) -> None:
    """Refuse whose files no endpoint would take; raises NotAuthenticated or NotAllowed."""
    require_known(caller)
    if not Endpoint.objects.filter(public_predictions=True).exists():
        access.require(caller, Need.PREDICT)

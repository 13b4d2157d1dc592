"""Who calls: an application with an API key in its header, a person by session, or nobody known."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from endpoints.models import ApiKey
from endpoints.services import keys
from endpoints.services.access import Caller

SCHEMES = frozenset({"bearer", "api-key"})


class ApiKeyAuthentication(BaseAuthentication):
    """A key that does not work is refused even where nobody needs one: its sender is mistaken."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey] | None:
        header = request.headers.get("Authorization", "")
        if not header:
            return None
        scheme, _, text = header.partition(" ")
        if scheme.lower() not in SCHEMES:
            raise AuthenticationFailed("Send the API key as “Authorization: Bearer <key>”.")
        key = keys.authenticate(text.strip(), timezone.now())
        if key is None:
            raise AuthenticationFailed("This API key is unknown, has expired or was revoked.")
        return None, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="raisin"'


def caller_of(request: Request) -> Caller:
    if isinstance(request.auth, ApiKey):
        return Caller(key=request.auth)
    return Caller(user=request.user if isinstance(request.user, User) else None)

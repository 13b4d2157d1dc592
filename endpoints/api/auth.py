"""Who calls: an application with an API key in its header, a person by session, or nobody known."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from endpoints.services import callers
from endpoints.services.access import Caller


class ApiKeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[None, Caller] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        return None, callers.by_header(header, timezone.now())

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="raisin"'


def caller_of(request: Request) -> Caller:
    if isinstance(request.auth, Caller):
        return request.auth
    return Caller(user=request.user if isinstance(request.user, User) else None)

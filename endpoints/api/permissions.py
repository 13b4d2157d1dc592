"""Whether a view may be entered at all; what a caller may do there is asked of services.access."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from endpoints.api.auth import caller_of

if TYPE_CHECKING:  # the view module loads this one by its name in the settings
    from rest_framework.views import APIView


class CallerRequired(BasePermission):
    """The default: nobody unknown comes in."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return caller_of(request).is_known


class EndpointDecides(BasePermission):
    """Open, because an endpoint may be public: the view must ask access.get_endpoint."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return True

"""GET /openapi.yaml: the committed description of the interface, as `manage.py openapi` wrote it."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from endpoints.api.base import JsonView
from endpoints.api.operations import Operation, Operations
from endpoints.api.permissions import EndpointDecides

YAML = "application/yaml"


class Document(JsonView):
    permission_classes = (EndpointDecides,)
    operations: Operations = {
        "GET": Operation(summary="Read this document", needs="nothing", answers={200: YAML})
    }

    def get(self, request: Request) -> HttpResponse:
        text = (settings.BASE_DIR / "docs" / "openapi.yaml").read_bytes()
        return HttpResponse(text, content_type=YAML)

"""/keys: the caller's own API keys; the text of a new one is in one answer and nowhere else."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api.base import JsonListView, JsonView
from endpoints.api.fields import Choices, Moment, Text
from endpoints.api.operations import PAGED, Operation, Operations
from endpoints.models import ApiKey, Endpoint
from endpoints.models.endpoint import Scope
from endpoints.services import access, keys, own_keys
from endpoints.services.access import Need
from endpoints.services.own_keys import KeySpec

FIELDS = (
    Text(
        name="name",
        about="The application that will use the key.",
        shortest=1,
        longest=keys.LONGEST_NAME,
        required=True,
    ),
    Choices(name="scopes", about="What the key may do.", choices=Scope.values, required=True),
    Text(
        name="endpoint",
        about="The slug of the one endpoint where it works; null or left out: every endpoint.",
        shortest=1,
        longest=64,
        nullable=True,
    ),
    Moment(
        name="expires_at",
        about="When it ends; null or left out: it works until it is revoked.",
        nullable=True,
    ),
)


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    endpoint = serializers.SerializerMethodField()

    class Meta:
        model = ApiKey
        fields = (
            "prefix",
            "name",
            "scopes",
            "endpoint",
            "created_at",
            "expires_at",
            "revoked_at",
            "last_used_at",
            "rate",
        )

    def get_endpoint(self, key: ApiKey) -> str | None:
        return key.endpoint.slug if key.endpoint is not None else None


class KeyList(JsonListView):
    serializer_class = KeySerializer
    newest_first = ("-created_at", "-id")
    operations: Operations = {
        "GET": Operation(
            summary="List your own API keys",
            needs=Need.OWN_KEYS,
            parameters=PAGED,
            answers={200: "page of Key"},
        ),
        "POST": Operation(
            summary="Make an API key",
            about="`key` is its text, shown in this answer alone. A key hands on no more than it has itself: "
            "its own scopes, its endpoint and its end bound those of the new one.",
            needs=Need.OWN_KEYS,
            body=FIELDS,
            answers={201: "NewKey"},
            errors=(404,),
        ),
    }

    def get_queryset(self) -> QuerySet[ApiKey]:
        return own_keys.listed(self.caller)

    def post(self, request: Request) -> Response:
        given = self.fields(FIELDS)
        wanted = KeySpec(**given | {"endpoint": self._endpoint(given)})
        key, text = own_keys.make(caller=self.caller, wanted=wanted, now=timezone.now())
        return Response({**KeySerializer(key).data, "key": text}, status=201)

    def _endpoint(self, given: dict[str, Any]) -> Endpoint | None:
        slug = given.get("endpoint")
        if slug is None:
            return None
        return access.get_endpoint(caller=self.caller, slug=slug, need=Need.OWN_KEYS)


class KeyDetail(JsonView):
    operations: Operations = {
        "DELETE": Operation(
            summary="Revoke one of your own API keys",
            about="It ends at once and for good; ending it twice changes nothing.",
            needs=Need.OWN_KEYS,
            answers={204: ""},
        )
    }

    def delete(self, request: Request, prefix: str) -> Response:
        own_keys.revoke(caller=self.caller, prefix=prefix, now=timezone.now())
        return Response(status=204)

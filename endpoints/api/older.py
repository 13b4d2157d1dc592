"""The resources that clients of the classic small model service know, read-only; new clients need none of them.

`endpoints` and `abtests` are the native lists. What such a service keeps as text is text here too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import CharField, OuterRef, Prefetch, QuerySet, Subquery
from rest_framework.generics import RetrieveAPIView

from endpoints.api import older_serializers as serializers
from endpoints.api.base import JsonListView, JsonView
from endpoints.api.operations import PAGED, Operation, Operations
from endpoints.api.pagination import NewestFirst, NewestOfLog
from endpoints.errors import NotFound
from endpoints.models import AlgorithmVersion, Feedback, PredictionRequest, StatusChange
from endpoints.models.endpoint import EndpointQuerySet
from endpoints.services import access


@dataclass(frozen=True)
class Kind:
    """One kind of object: `found` loads those of some endpoints, in few queries for any number."""

    what: str
    serializer: Any
    found: Callable[[EndpointQuerySet], QuerySet[Any]]
    newest_first: tuple[str, ...] = ("-created_at", "-id")
    pagination: Any = NewestFirst


def algorithms(visible: EndpointQuerySet) -> QuerySet[AlgorithmVersion]:
    registered = StatusChange.objects.filter(version=OuterRef("pk"), verb="register")
    author = Subquery(registered.values("actor_name")[:1], output_field=CharField())
    versions = AlgorithmVersion.objects.filter(endpoint__in=visible)
    return versions.select_related("run").annotate(author=author)


def statuses(visible: EndpointQuerySet) -> QuerySet[StatusChange]:
    newest = StatusChange.objects.filter(version=OuterRef("version"))
    latest = Subquery(newest.order_by("-at", "-id").values("pk")[:1])
    return StatusChange.objects.filter(version__endpoint__in=visible).annotate(latest=latest)


def requests(visible: EndpointQuerySet) -> QuerySet[PredictionRequest]:
    labels = Prefetch("feedback", queryset=Feedback.objects.filter(current=True), to_attr="labels")
    logged = PredictionRequest.objects.filter(endpoint__in=visible)
    # A join would have PostgreSQL sort the whole log.
    return logged.prefetch_related("endpoint", "version__endpoint", "arm__phase", labels)


ALGORITHMS = Kind("version", serializers.AlgorithmSerializer, algorithms)
STATUSES = Kind("status change", serializers.StatusSerializer, statuses, ("-at", "-id"))
REQUESTS = Kind("logged prediction", serializers.RequestSerializer, requests, ("-id",), NewestOfLog)


class Older(JsonView):
    """Something about objects of one kind; `as_view(kind=ALGORITHMS)`."""

    kind: Kind = ALGORITHMS

    def get_queryset(self) -> QuerySet[Any]:
        return self.kind.found(access.visible_endpoints(self.caller))

    def get_serializer_class(self) -> Any:
        return self.kind.serializer

    def get_serializer_context(self) -> dict[str, Any]:
        return {"caller": self.caller}


class OlderList(Older, JsonListView):
    @property
    def pagination_class(self) -> Any:  # type: ignore[override]
        return self.kind.pagination

    @property
    def newest_first(self) -> tuple[str, ...]:  # type: ignore[override]  # it depends on the kind
        return self.kind.newest_first

    @property
    def operations(self) -> Operations:  # type: ignore[override]
        return {
            "GET": Operation(
                summary=f"List {self.kind.what}s, for older clients",
                needs="scope read",
                parameters=PAGED,
                answers={200: f"page of {self.kind.serializer.schema}"},
            )
        }


class OlderDetail(Older, RetrieveAPIView):
    @property
    def operations(self) -> Operations:  # type: ignore[override]
        return {
            "GET": Operation(
                summary=f"Read one {self.kind.what}, for older clients",
                needs="scope read",
                answers={200: self.kind.serializer.schema},
            )
        }

    def get_object(self) -> Any:
        found = self.get_queryset().filter(pk=self.kwargs["pk"]).first()
        if found is None:
            raise NotFound(f"There is no such {self.kind.what}.")
        return found

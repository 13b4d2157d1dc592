"""/endpoints/<slug>/versions and below: registering a run or a bundle, reading, writing what it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api import query, serializers
from endpoints.api.base import JsonListView, JsonView
from endpoints.api.fields import Text, read_object
from endpoints.api.operations import IDEMPOTENT, PAGED, Operation, Operations
from endpoints.api.uploads import received
from endpoints.errors import NotFound
from endpoints.models import AlgorithmVersion, Endpoint, Run
from endpoints.services import access, auto_promotion, cards, configuring, lifecycle
from endpoints.services.access import Need
from endpoints.services.cards import CardTexts
from endpoints.services.words import LONGEST_NAME, LONGEST_NOTE

NAME = Text(name="name", about="What to call the uploaded model.", longest=LONGEST_NAME)
NOTE = Text(name="note", about="What is new about it.", longest=LONGEST_NOTE)
RUN = Text(name="run", about="The id of a finished run.", shortest=1, longest=32, required=True)
TEXTS = (
    NOTE,
    Text(
        name="intended_use",
        about="For whom and what for; Markdown.",
        longest=cards.LONGEST_TEXT,
    ),
    Text(
        name="limits",
        about="Where it must not be used; Markdown.",
        longest=cards.LONGEST_TEXT,
    ),
)


class VersionList(JsonListView):
    serializer_class = serializers.VersionSerializer
    newest_first = ("-number",)
    operations: Operations = {
        "GET": Operation(
            summary="List the versions of an endpoint",
            needs="scope read",
            parameters=PAGED,
            answers={200: "page of Version"},
        ),
        "POST": Operation(
            summary="Register a run, or a bundle in one file, as the next version",
            about="A body that starts with the letters PK is taken for a bundle, whatever its type says; "
            "`name` and `note` are then query parameters. Everything else is JSON.",
            needs=Need.REGISTER,
            parameters=("name", "note"),
            headers=(IDEMPOTENT,),
            body="NewVersion",
            answers={201: "VersionDetail"},
            errors=(409, 413, 415, 422, 503),
        ),
    }

    def get_queryset(self) -> QuerySet[AlgorithmVersion]:
        endpoint = access.get_endpoint(caller=self.caller, slug=self.kwargs["slug"], need=Need.READ)
        return versions_of(endpoint)

    def post(self, request: Request, slug: str) -> Response:
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.REGISTER)
        with received(request) as body:
            register = self._register_bundle if isinstance(body, Path) else self._register_run
            version = register(body, endpoint)
        return Response(detail(version, request), status=201)

    def _register_bundle(self, file: Path, endpoint: Endpoint) -> AlgorithmVersion:
        from endpoints.services import registration  # it loads what only an upload needs

        given = self.request.query_params
        return registration.register_upload(
            content=file,
            endpoint=endpoint,
            actor=self.caller,
            now=timezone.now(),
            name=NAME.read_parameter(given.get("name", "")),
            note=NOTE.read_parameter(given.get("note", "")),
            submission=self.submission(),
        )

    def _register_run(self, body: Any, endpoint: Endpoint) -> AlgorithmVersion:
        query.refuse_unknown(self.request.query_params, (), what="query parameter")
        given = read_object(body, (RUN, NOTE))
        version = lifecycle.register(
            run=self._run(given["run"]),
            endpoint=endpoint,
            actor=self.caller,
            now=timezone.now(),
            note=given.get("note", ""),
            submission=self.submission(),
        )
        auto_promotion.consider(version, now=timezone.now())
        return version

    def _run(self, run_id: str) -> Run:
        run = access.visible_runs(self.caller).filter(pk=run_id).first()
        if run is None:
            raise NotFound(f"There is no run “{run_id}”.")
        return run


class VersionDetail(JsonView):
    operations: Operations = {
        "GET": Operation(
            summary="Read a version with its history",
            needs="scope read",
            answers={200: "VersionDetail"},
        ),
        "PATCH": Operation(
            summary="Write a version's note, intended use and limits",
            about="Intended use and limits are kept as they were approved once the version has been in "
            "production; the note may change.",
            needs=Need.STAGE,
            body=TEXTS,
            answers={200: "VersionDetail"},
            errors=(409,),
        ),
    }

    def get(self, request: Request, slug: str, number: int) -> Response:
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.READ)
        return Response(detail(version_of(endpoint, number), request))

    def patch(self, request: Request, slug: str, number: int) -> Response:
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.STAGE)
        version = version_of(endpoint, number)
        given = self.fields(TEXTS)
        self._write_card(version, given)
        if "note" in given:
            configuring.annotate(
                version=version, note=given["note"], actor=self.caller, now=timezone.now()
            )
        return Response(detail(version, request))

    def _write_card(self, version: AlgorithmVersion, given: dict[str, str]) -> None:
        if not {"intended_use", "limits"} & set(given):
            return
        old = CardTexts.of(version)
        texts = CardTexts(
            given.get("intended_use", old.intended_use), given.get("limits", old.limits)
        )
        cards.write(
            version=version,
            texts=texts,
            seen=old.digest,
            actor=self.caller,
            now=timezone.now(),
        )


def versions_of(endpoint: Endpoint) -> QuerySet[AlgorithmVersion]:
    versions = endpoint.versions.select_related("endpoint", "run")
    return versions.prefetch_related(serializers.metrics_of("run__"))


def version_of(endpoint: Endpoint, number: int) -> AlgorithmVersion:
    version = versions_of(endpoint).filter(number=number).first()
    if version is None:
        raise NotFound(f"“{endpoint.slug}” has no version {number}.")
    return version


def detail(version: AlgorithmVersion, request: Request) -> dict[str, object]:
    """Return the version as it is stored now; a change that went before may have moved it."""
    stored = version_of(version.endpoint, version.number)
    return serializers.VersionDetailSerializer(stored, context={"request": request}).data

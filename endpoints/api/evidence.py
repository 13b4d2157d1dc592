"""Below /versions/<number>: what speaks for a version - its file, model card, gates and lineage."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from django.http import FileResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import get_conditional_response
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api.base import JsonView
from endpoints.api.change_serializers import gate_json, moment_json
from endpoints.api.operations import Operation, Operations
from endpoints.api.versions import version_of
from endpoints.models import AlgorithmVersion
from endpoints.services import access, artifacts, bundles, gate_policy, gates, history
from endpoints.services.access import Need
from mlcore.bundle import Provenance
from mlcore.model_card import model_card

ZIP = "application/zip"


class VersionView(JsonView):
    """Something about one version that a reader may ask for."""

    def version(self) -> AlgorithmVersion:
        slug, number = self.kwargs["slug"], self.kwargs["number"]
        endpoint = access.get_endpoint(caller=self.caller, slug=slug, need=Need.READ)
        return version_of(endpoint, number)


class Bundle(VersionView):
    operations: Operations = {
        "GET": Operation(
            summary="Download the version's bundle as one file",
            about="The ETag is the SHA-256 that the version shows. The file is the same, to the byte, each time.",
            needs="scope read",
            answers={200: ZIP, 304: ""},
            errors=(503,),
        )
    }

    def get(self, request: Request, slug: str, number: int) -> HttpResponseBase:
        version = self.version()
        etag = f'"{version.artifact_sha256}"'
        unchanged = get_conditional_response(request, etag=etag)
        return unchanged or FileResponse(
            bundles.open_file(version),
            content_type=ZIP,
            as_attachment=True,
            filename=f"{slug}-{version.label}.zip",
            headers={"ETag": etag},
        )


class Card(VersionView):
    operations: Operations = {
        "GET": Operation(
            summary="Read the model card of a version",
            about="`card` is made from the verified bundle; people write the two texts.",
            needs="scope read",
            answers={200: "ModelCard"},
            errors=(503,),
        )
    }

    def get(self, request: Request, slug: str, number: int) -> Response:
        version = self.version()
        texts = {"intended_use": version.intended_use, "limits": version.limits}
        return Response({**_place(version), **texts, "card": card_of(version)})


class Gates(VersionView):
    operations: Operations = {
        "GET": Operation(
            summary="Run the gates of a version now",
            about="It is what a promotion would find at this moment; nothing is stored.",
            needs="scope read",
            answers={200: "Gates"},
        )
    }

    def get(self, request: Request, slug: str, number: int) -> Response:
        version = self.version()
        found = gates.evaluate(version, actor=self.caller, now=timezone.now())
        answer = {
            **_place(version),
            "policy": version.endpoint.gate_policy,
            "blocked": bool(gate_policy.blocking(version.endpoint, found)),
            "gates": [gate_json(vars(gate)) for gate in found],
        }
        return Response(answer)


class VersionLineage(VersionView):
    operations: Operations = {
        "GET": Operation(
            summary="From the data to the predictions of a version",
            about="`predictions` counts the requests that it answered, also those that the log keeps no longer.",
            needs="scope read",
            answers={200: "Lineage"},
        )
    }

    def get(self, request: Request, slug: str, number: int) -> Response:
        version = self.version()
        found = history.lineage(version)
        spans = [
            {"since": moment_json(span.since), "until": moment_json(span.until)}
            for span in found.spans
        ]
        run = found.run
        dataset = {
            "name": found.dataset_name,
            "sha256": found.dataset_sha256,
            "synthetic": run.synthetic,
        }
        answer = {
            **_place(version),
            "dataset": dataset,
            "run": {"id": run.id, "name": run.name, "uploaded": run.uploaded},
            "production": spans,
            "predictions": found.predictions,
        }
        return Response(answer)


def card_of(version: AlgorithmVersion) -> dict[str, Any]:
    document = artifacts.describe(version)
    provenance = Provenance(**{field.name: document[field.name] for field in fields(Provenance)})
    return model_card(artifacts.load(version), provenance)


def _place(version: AlgorithmVersion) -> dict[str, Any]:
    return {"endpoint": version.endpoint.slug, "version": version.number, "status": version.status}

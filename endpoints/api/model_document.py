"""GET /<slug>/openapi.json: how to ask this one model, with its own columns, classes and an example that works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from endpoints.api.explore import SVG, ModelView
from endpoints.api.model_schemas import COUNT, TEXT, UUID, Schema, listed, ref, schemas
from endpoints.api.operations import Operation, Operations
from endpoints.models import AlgorithmVersion, Endpoint
from endpoints.services import serving
from endpoints.services.access import Need
from endpoints.services.response_curve import typical_row
from mlcore.classifier import Classifier

JSON = "application/json"
DATATYPES = {"number": "FP64", "category": "BYTES"}
SUMMARIES = {
    "predict": "Predict",
    "explain": "Predict and explain",
    "features": "Read which features the model reads",
    "plot": "Draw the probability over one feature",
    "infer": "Predict by the Open Inference Protocol",
    "feedback": "Send a true label, with a key of the scope feedback",
}
ANY: Schema = {"type": "object"}
TENSOR: Schema = {
    "type": "object",
    "properties": {
        "name": TEXT,
        "datatype": TEXT,
        "shape": listed(COUNT),
        "data": {"type": "array"},
    },
    "required": ["name", "datatype", "shape", "data"],
}
INFERENCE: Schema = {
    "type": "object",
    "properties": {"id": TEXT, "inputs": listed(TENSOR) | {"minItems": 1}},
    "required": ["inputs"],
}
INFERRED: Schema = {
    "type": "object",
    "properties": {
        "model_name": TEXT,
        "model_version": TEXT,
        "id": TEXT,
        "parameters": {"type": "object"},
        "outputs": listed(TENSOR),
    },
    "required": ["model_name", "outputs"],
}


class ModelDocument(ModelView):
    operations: Operations = {
        "GET": Operation(
            summary="Read how to ask one model",
            about="An OpenAPI document with the columns and classes of the version that answers, and an "
            "example that can be sent as it is.",
            needs="scope predict, unless the endpoint is public",
            answers={200: "OpenApi"},
            errors=(503,),
        )
    }

    def get(self, request: Request, slug: str) -> Response:
        served = serving.served(slug, caller=self.caller, need=Need.PREDICT)
        return Response(document(served.endpoint, *served.choose(None, None)))


def document(
    endpoint: Endpoint, version: AlgorithmVersion, classifier: Classifier
) -> dict[str, Any]:
    key = {"type": "http", "scheme": "bearer", "description": "An API key with the scope named."}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": endpoint.name,
            "version": str(version.number),
            "description": _about(endpoint, classifier),
        },
        "servers": [{"url": settings.RAISIN_URL}],
        "security": [*([{}] if endpoint.public_predictions else []), {"key": []}],
        "paths": _paths(endpoint.slug, classifier),
        "components": {"schemas": schemas(classifier), "securitySchemes": {"key": key}},
    }


def _about(endpoint: Endpoint, classifier: Classifier) -> str:
    answers = f"It answers {classifier.target} with one of: {', '.join(classifier.classes)}."
    return f"{endpoint.description} {answers}".strip()


def _paths(slug: str, classifier: Classifier) -> dict[str, Any]:
    row = typical_row(classifier)
    rows = {"one": row, "several": {"rows": [row, list(row.values())]}}
    feature = {"name": "feature", "in": "query", "schema": {"enum": list(classifier.schema.names)}}
    asked, tensors = _body(ref("Rows"), rows), {"one": {"inputs": _tensors(classifier, row)}}
    return {
        _route("predict", slug): {"post": asked | _operation("predict", ref("Prediction"))},
        _route("explain", slug): {"post": asked | _operation("explain", ref("Explanation"))},
        _route("features", slug): {"get": _operation("features", ANY)},
        _route("plot", slug): {
            "get": {"parameters": [feature]} | _operation("plot", TEXT, written_as=SVG)
        },
        reverse("v2_infer", kwargs={"slug": slug}): {
            "post": _body(INFERENCE, tensors) | _operation("infer", INFERRED)
        },
        _feedback_route(): {
            "parameters": [{"name": "request_id", "in": "path", "required": True, "schema": UUID}],
            "post": _feedback(classifier),
        },
    }


def _route(name: str, slug: str) -> str:
    return reverse(f"api:{name}", kwargs={"slug": slug})


def _feedback_route() -> str:
    return reverse("api:feedback", kwargs={"request_id": "here"}).replace("here", "{request_id}")


def _feedback(classifier: Classifier) -> dict[str, Any]:
    body = _body(ref("Label"), {"label": {"label": classifier.classes[0]}})
    post = body | _operation("feedback", ANY)
    post["responses"]["201"] = _answer("It is new, or another than before.", ANY)
    return post


def _body(schema: Schema, examples: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: {"value": value} for name, value in examples.items()}
    content = {JSON: {"schema": schema, "examples": named}}
    return {"requestBody": {"required": True, "content": content}}


def _operation(name: str, answer: Schema, *, written_as: str = JSON) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": SUMMARIES[name],
        "responses": {
            "200": _answer("The answer.", answer, written_as=written_as),
            "default": _answer("Refused; `code` says why.", ref("Problem")),
        },
    }


def _answer(about: str, schema: Schema, *, written_as: str = JSON) -> dict[str, Any]:
    return {"description": about, "content": {written_as: {"schema": schema}}}


def _tensors(classifier: Classifier, row: dict[str, Any]) -> list[dict[str, Any]]:
    """One tensor for all columns, or one for each where they are of different types."""
    columns = classifier.schema.columns
    kinds = {column.kind for column in columns}
    if len(kinds) == 1:
        datatype, shape = DATATYPES[kinds.pop()], [1, len(columns)]
        return [{"name": "rows", "datatype": datatype, "shape": shape, "data": list(row.values())}]
    return [
        {
            "name": column.name,
            "datatype": DATATYPES[column.kind],
            "shape": [1],
            "data": [row[column.name]],
        }
        for column in columns
    ]

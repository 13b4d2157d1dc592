"""The routes of all wire protocols; none ends with a slash but those whose standard says so."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.urls import URLPattern, path

from endpoints.protocols import mlflow, open_inference_urls, root, tf_v1, vertex

MLFLOW = "e/<slug:slug>"
V1 = "v1/models/<slug:slug>"


def vertex_routes() -> Iterator[URLPattern]:
    """The routes that Vertex AI chose; they come first, since it may choose ours for something else."""
    if settings.AIP_HEALTH_ROUTE:
        yield path(settings.AIP_HEALTH_ROUTE.lstrip("/"), root.at_root(root.health))
    if settings.AIP_PREDICT_ROUTE:
        yield path(settings.AIP_PREDICT_ROUTE.lstrip("/"), root.at_root(vertex.predict))


urlpatterns: list[URLPattern] = [
    *vertex_routes(),
    *open_inference_urls.urlpatterns,
    path(f"{MLFLOW}/invocations", mlflow.invocations, name="mlflow_invocations"),
    path(f"{MLFLOW}/ping", mlflow.ping, name="mlflow_ping"),
    path(f"{MLFLOW}/health", mlflow.ping, name="mlflow_health"),
    path(f"{MLFLOW}/version", mlflow.version, name="mlflow_version"),
    path(V1, tf_v1.model, name="v1_model"),
    path(f"{V1}:predict", tf_v1.predict, name="v1_predict"),
    path(f"{V1}:explain", tf_v1.explain, name="v1_explain"),
    path(f"{V1}/versions/<slug:version>", tf_v1.model, name="v1_version"),
    path(f"{V1}/versions/<slug:version>:predict", tf_v1.predict, name="v1_version_predict"),
    path(f"{V1}/versions/<slug:version>:explain", tf_v1.explain, name="v1_version_explain"),
    path("predict", root.at_root(root.predict)),
    path("monitor", root.at_root(root.monitor)),
    path("features", root.at_root(root.features)),
    path("plot", root.at_root(root.plot)),
    path("health", root.at_root(root.health)),
    path("ping", root.at_root(root.health)),
    path("version", root.at_root(mlflow.version)),
    path("invocations", root.at_root(mlflow.invocations)),
]

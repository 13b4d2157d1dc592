"""The addresses of the Open Inference Protocol, mounted at the root as its clients expect them.

No address redirects to one with a slash at its end: the clients do not follow.
"""

from __future__ import annotations

from django.urls import path

from endpoints.protocols import open_inference as views

MODEL = "v2/models/<str:slug>"
VERSION = f"{MODEL}/versions/<str:version>"
REPOSITORY = "v2/repository"

urlpatterns = [
    path("v2", views.server, name="v2_server"),
    path("v2/", views.server),
    path(MODEL, views.model, name="v2_model"),
    path(VERSION, views.model, name="v2_model_version"),
    path(f"{MODEL}/ready", views.ready, name="v2_ready"),
    path(f"{VERSION}/ready", views.ready, name="v2_ready_version"),
    path(f"{MODEL}/infer", views.infer, name="v2_infer"),
    path(f"{VERSION}/infer", views.infer, name="v2_infer_version"),
    path(f"{REPOSITORY}/index", views.index, name="v2_index"),
    path(f"{REPOSITORY}/models/<str:slug>/load", views.load_or_unload, name="v2_load"),
    path(f"{REPOSITORY}/models/<str:slug>/unload", views.load_or_unload, name="v2_unload"),
]

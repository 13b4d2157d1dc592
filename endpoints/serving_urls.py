"""The routes on which programs ask for predictions, which the site answers by a short way."""

from __future__ import annotations

from django.urls import path

from endpoints.api.explore import Explain
from endpoints.api.predict import Predict
from endpoints.protocols import urls as protocols

urlpatterns = [
    path("api/v1/<slug:slug>/predict", Predict.as_view()),
    path("api/v1/<slug:slug>/explain", Explain.as_view()),
    *protocols.urlpatterns,
]

"""The routes of the native interface; none ends with a slash."""

from __future__ import annotations

from django.urls import path

from endpoints.api.endpoints import EndpointDetail, EndpointList, VersionDetail, VersionList
from endpoints.api.feedback import SendFeedback
from endpoints.api.predict import Predict
from endpoints.api.runs import RunDetail, RunList

app_name = "api"

urlpatterns = [
    path("endpoints", EndpointList.as_view(), name="endpoints"),
    path("endpoints/<slug:slug>", EndpointDetail.as_view(), name="endpoint"),
    path("endpoints/<slug:slug>/versions", VersionList.as_view(), name="versions"),
    path("endpoints/<slug:slug>/versions/<int:number>", VersionDetail.as_view(), name="version"),
    path("runs", RunList.as_view(), name="runs"),
    path("runs/<slug:run_id>", RunDetail.as_view(), name="run"),
    path("requests/<str:request_id>/feedback", SendFeedback.as_view(), name="feedback"),
    path("<slug:slug>/predict", Predict.as_view(), name="predict"),
]

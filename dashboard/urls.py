"""The addresses of the pages."""

from __future__ import annotations

from django.urls import path

from dashboard.views import (
    account,
    compare,
    endpoint,
    home,
    predictions,
    review,
    runs,
    try_,
    versions,
)

app_name = "dashboard"

ENDPOINT = "endpoints/<slug:slug>/"
VERSION = f"{ENDPOINT}versions/<int:number>/"
PREDICTIONS = f"{ENDPOINT}predictions/"
RUN = "runs/<slug:run_id>/"

urlpatterns = [
    path("", home.home, name="home"),
    path(ENDPOINT, endpoint.endpoint, name="endpoint"),
    path(f"{ENDPOINT}versions/", versions.versions, name="versions"),
    path(VERSION, versions.version, name="version"),
    path(f"{VERSION}review/", review.review_change, name="review"),
    path(PREDICTIONS, predictions.predictions, name="predictions"),
    path(f"{PREDICTIONS}download/", predictions.download, name="predictions_csv"),
    path(f"{PREDICTIONS}<uuid:request_id>/", predictions.prediction, name="prediction"),
    path(f"{ENDPOINT}try/", try_.try_, name="try"),
    path("runs/", runs.runs, name="runs"),
    path("runs/download/", runs.download, name="runs_csv"),
    path("runs/compare/", compare.compare, name="compare"),
    path(RUN, runs.run, name="run"),
    path(f"{RUN}register/", runs.register, name="register"),
    path(f"{RUN}archive/", runs.archive, name="archive_run"),
    path(f"{RUN}restore/", runs.restore, name="restore_run"),
    path("account/", account.account, name="account"),
    path("account/theme/", account.theme, name="theme"),
    path("account/keys/<int:key_id>/revoke/", account.revoke, name="revoke_key"),
]

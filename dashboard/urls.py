"""The addresses of the pages."""

from __future__ import annotations

from django.urls import path

from dashboard.views import (
    abtest_decisions,
    abtest_plans,
    abtests,
    account,
    alerts,
    batch_actions,
    batch_earlier,
    batch_files,
    batch_job,
    batches,
    cards,
    check,
    compare,
    datasets,
    drift,
    endpoint,
    home,
    predictions,
    review,
    runs,
    timeline,
    training,
    try_,
    uploads,
    versions,
)

app_name = "dashboard"

ENDPOINT = "endpoints/<slug:slug>/"
VERSION = f"{ENDPOINT}versions/<int:number>/"
PREDICTIONS = f"{ENDPOINT}predictions/"
RUN = "runs/<slug:run_id>/"
DATASET = "datasets/<slug:dataset_id>/"
TEST = "tests/<int:test_id>/"
BATCH = "batch/<slug:batch_id>/"

urlpatterns = [
    path("", home.home, name="home"),
    path(ENDPOINT, endpoint.endpoint, name="endpoint"),
    path(f"{ENDPOINT}versions/", versions.versions, name="versions"),
    path(f"{ENDPOINT}versions/download/", timeline.download, name="timeline_csv"),
    path(f"{ENDPOINT}versions/upload/", uploads.upload, name="upload"),
    path(VERSION, versions.version, name="version"),
    path(f"{VERSION}review/", review.review_change, name="review"),
    path(f"{VERSION}card/", cards.show_card, name="card"),
    path(f"{VERSION}card/edit/", cards.edit_card, name="card_edit"),
    path(f"{VERSION}summary/", cards.show_summary, name="summary"),
    path(f"{VERSION}summary.md", cards.download_summary, name="summary_md"),
    path(f"{VERSION}evaluate/", uploads.evaluate, name="evaluate"),
    path(f"{VERSION}bundle/", uploads.bundle, name="bundle"),
    path(PREDICTIONS, predictions.predictions, name="predictions"),
    path(f"{PREDICTIONS}download/", predictions.download, name="predictions_csv"),
    path(f"{PREDICTIONS}<uuid:request_id>/", predictions.prediction, name="prediction"),
    path(f"{ENDPOINT}batch-template/", batch_files.template, name="batch_template"),
    path(f"{ENDPOINT}drift/", drift.drift, name="drift"),
    path(f"{ENDPOINT}drift/check/", check.check, name="check"),
    path(f"{ENDPOINT}try/", try_.try_, name="try"),
    path(f"{ENDPOINT}alerts/", alerts.endpoint_alerts, name="endpoint_alerts"),
    path(f"{ENDPOINT}tests/", abtests.tests, name="tests"),
    path(f"{ENDPOINT}tests/new/", abtest_plans.new_test, name="new_test"),
    path(TEST, abtests.test, name="test"),
    path(f"{TEST}edit/", abtest_plans.edit_test, name="edit_test"),
    path(f"{TEST}delete/", abtest_plans.delete_test, name="delete_test"),
    path(f"{TEST}start/", abtest_decisions.start_test, name="start_test"),
    path(f"{TEST}share/", abtest_decisions.share_test, name="share_test"),
    path(f"{TEST}stop/", abtest_decisions.stop_test, name="stop_test"),
    path("alerts/", alerts.alerts, name="alerts"),
    path("alerts/<int:alert_id>/", alerts.alert, name="alert"),
    path("batch/", batches.batches, name="batches"),
    path("batch/earlier/", batch_earlier.earlier, name="earlier_batches"),
    path(BATCH, batch_job.batch, name="batch"),
    path(f"{BATCH}cancel/", batch_actions.cancel_batch, name="cancel_batch"),
    path(f"{BATCH}delete/", batch_actions.delete_batch, name="delete_batch"),
    path(f"{BATCH}rerun/", batch_actions.rerun_batch, name="rerun_batch"),
    path(f"{BATCH}results/", batch_files.results, name="batch_results"),
    path(f"{BATCH}errors/", batch_files.errors, name="batch_errors"),
    path("runs/", runs.runs, name="runs"),
    path("runs/download/", runs.download, name="runs_csv"),
    path("runs/compare/", compare.compare, name="compare"),
    path(RUN, runs.run, name="run"),
    path(f"{RUN}cancel/", training.cancel, name="cancel_run"),
    path(f"{RUN}again/", training.again, name="train_again"),
    path(f"{RUN}register/", runs.register, name="register"),
    path(f"{RUN}archive/", runs.archive, name="archive_run"),
    path(f"{RUN}restore/", runs.restore, name="restore_run"),
    path("train/", training.train, name="train"),
    path("train/<slug:dataset_id>/", training.train_on, name="train_on"),
    path("datasets/", datasets.datasets, name="datasets"),
    path(DATASET, datasets.dataset, name="dataset"),
    path(f"{DATASET}archive/", datasets.archive, name="archive_dataset"),
    path("account/", account.account, name="account"),
    path("account/theme/", account.theme, name="theme"),
    path("account/keys/<int:key_id>/revoke/", account.revoke, name="revoke_key"),
]

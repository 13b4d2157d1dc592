"""The routes of the native interface; none ends with a slash."""

from __future__ import annotations

from django.urls import URLPattern, path

from endpoints.api import (
    abtests,
    alert_rules,
    alerts,
    batches,
    changes,
    datasets,
    decisions,
    evidence,
    keys,
    monitoring,
    older,
    runs,
    versions,
)
from endpoints.api.document import Document
from endpoints.api.endpoints import EndpointDetail, EndpointList, Pause, Resume
from endpoints.api.explore import Explain, Features, Plot
from endpoints.api.feedback import SendFeedback, SendManyLabels, SendManyLabelsHere
from endpoints.api.model_document import ModelDocument
from endpoints.api.performance import Performance
from endpoints.api.predict import Predict
from endpoints.services import lifecycle

app_name = "api"

ENDPOINT = "endpoints/<slug:slug>"
VERSION = f"{ENDPOINT}/versions/<int:number>"
BATCH = "batches/<slug:batch_id>"
DATASET = "datasets/<slug:dataset_id>"
RUN = "runs/<slug:run_id>"


def older_paths(name: str, key: str, kind: older.Kind) -> list[URLPattern]:
    """Return the list and the single view of a kind of object. Key: the type of its id."""
    plural = f"{name}es" if name.endswith("s") else f"{name}s"
    return [
        path(plural, older.OlderList.as_view(kind=kind), name=plural),
        path(f"{plural}/<{key}:pk>", older.OlderDetail.as_view(kind=kind), name=name),
    ]


urlpatterns = [
    path("openapi.yaml", Document.as_view(), name="openapi"),
    path("endpoints", EndpointList.as_view(), name="endpoints"),
    path(ENDPOINT, EndpointDetail.as_view(), name="endpoint"),
    path(f"{ENDPOINT}/pause", Pause.as_view(), name="pause"),
    path(f"{ENDPOINT}/resume", Resume.as_view(), name="resume"),
    path(f"{ENDPOINT}/rollback", decisions.RollBack.as_view(), name="rollback"),
    path(f"{ENDPOINT}/changes", changes.ChangeList.as_view(), name="changes"),
    path(f"{ENDPOINT}/production", changes.Production.as_view(), name="production"),
    path(f"{ENDPOINT}/performance", Performance.as_view(), name="performance"),
    path(f"{ENDPOINT}/monitor", monitoring.MonitorSettings.as_view(), name="monitor"),
    path(f"{ENDPOINT}/drift", monitoring.DriftList.as_view(), name="drift_reports"),
    path(f"{ENDPOINT}/drift/recompute", monitoring.Recompute.as_view(), name="recompute_drift"),
    path(f"{ENDPOINT}/drift/<int:pk>", monitoring.DriftDetail.as_view(), name="drift_report"),
    path(f"{ENDPOINT}/versions", versions.VersionList.as_view(), name="versions"),
    path(VERSION, versions.VersionDetail.as_view(), name="version"),
    path(f"{VERSION}/bundle", evidence.Bundle.as_view(), name="bundle"),
    path(f"{VERSION}/card", evidence.Card.as_view(), name="card"),
    path(f"{VERSION}/gates", evidence.Gates.as_view(), name="gates"),
    path(f"{VERSION}/lineage", evidence.VersionLineage.as_view(), name="lineage"),
    *(
        path(f"{VERSION}/{verb}", decisions.Decide.as_view(verb=verb), name=verb)
        for verb in lifecycle.OF_A_VERSION
    ),
    path("promotion-requests", changes.PromotionRequestList.as_view(), name="promotion_requests"),
    path("datasets", datasets.DatasetList.as_view(), name="datasets"),
    path(DATASET, datasets.DatasetDetail.as_view(), name="dataset"),
    path(f"{DATASET}/archive", datasets.ArchiveDataset.as_view(), name="archive_dataset"),
    path("runs", runs.RunList.as_view(), name="runs"),
    path(RUN, runs.RunDetail.as_view(), name="run"),
    path(f"{RUN}/cancel", runs.CancelRun.as_view(), name="cancel_run"),
    path(f"{RUN}/again", runs.TrainAgain.as_view(), name="train_again"),
    path("requests/<str:request_id>/feedback", SendFeedback.as_view(), name="feedback"),
    path("feedback", SendManyLabels.as_view(), name="feedback_list"),
    path(f"{ENDPOINT}/feedback", SendManyLabelsHere.as_view(), name="endpoint_feedback"),
    path("alerts", alerts.AlertList.as_view(), name="alerts"),
    path("alerts/<int:pk>/acknowledge", alerts.Acknowledge.as_view(), name="acknowledge"),
    path(f"{ENDPOINT}/alert-rules", alert_rules.RuleList.as_view(), name="alert_rules"),
    path("alert-rules/<int:pk>", alert_rules.RuleDetail.as_view(), name="alert_rule"),
    path("alert-rules/<int:pk>/test", alert_rules.TryRule.as_view(), name="test_alert_rule"),
    path("alert-rules/<int:pk>/mute", alert_rules.MuteRule.as_view(), name="mute_alert_rule"),
    path("keys", keys.KeyList.as_view(), name="keys"),
    path("keys/<slug:prefix>", keys.KeyDetail.as_view(), name="key"),
    *older_paths("mlalgorithm", "int", older.ALGORITHMS),
    *older_paths("mlalgorithmstatus", "int", older.STATUSES),
    *older_paths("mlrequest", "uuid", older.REQUESTS),
    path("abtests", abtests.TestList.as_view(), name="abtests"),
    path("abtests/<int:pk>", abtests.TestDetail.as_view(), name="abtest"),
    path("abtests/<int:pk>/start", abtests.StartTest.as_view(), name="abtest_start"),
    path("abtests/<int:pk>/share", abtests.ShareTest.as_view(), name="abtest_share"),
    path("abtests/<int:pk>/stop", abtests.StopTest.as_view(), name="abtest_stop"),
    path("abtests/<int:pk>/export", abtests.ExportTest.as_view(), name="abtest_export"),
    path("stop_ab_test/<int:pk>", abtests.StopForOlderClients.as_view(), name="stop_ab_test"),
    path("batch-predict", batches.SendBatch.as_view(), name="batch_predict"),
    path("batches", batches.BatchList.as_view(), name="batches"),
    path(BATCH, batches.BatchDetail.as_view(), name="batch"),
    path(f"{BATCH}/start", batches.StartBatch.as_view(), name="batch_start"),
    path(f"{BATCH}/cancel", batches.CancelBatch.as_view(), name="batch_cancel"),
    path(f"{BATCH}/rerun", batches.RerunBatch.as_view(), name="batch_rerun"),
    path(f"{BATCH}/results", batches.BatchResults.as_view(), name="batch_results"),
    path(f"{BATCH}/errors", batches.BatchErrors.as_view(), name="batch_errors"),
    path("<slug:slug>/batch-template", batches.BatchTemplate.as_view(), name="batch_template"),
    path("<slug:slug>/predict", Predict.as_view(), name="predict"),
    path("<slug:slug>/explain", Explain.as_view(), name="explain"),
    path("<slug:slug>/monitor", monitoring.MonitorRows.as_view(), name="monitor_rows"),
    path("<slug:slug>/features", Features.as_view(), name="features"),
    path("<slug:slug>/plot", Plot.as_view(), name="plot"),
    path("<slug:slug>/openapi.json", ModelDocument.as_view(), name="model_openapi"),
]

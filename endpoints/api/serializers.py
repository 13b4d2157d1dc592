"""How endpoints, versions and runs are written out; nothing is read in through these."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch
from rest_framework import serializers
from rest_framework.reverse import reverse

from endpoints.api.base import caller_in
from endpoints.api.change_serializers import step_json
from endpoints.errors import NoModel
from endpoints.models import AlgorithmVersion, Endpoint, Metric, Run
from endpoints.models.run import RunState
from endpoints.services import serving
from endpoints.services.configuring import SETTINGS
from endpoints.services.datasets import visible
from endpoints.services.training_jobs import noting

# Loaded beside the objects so that a list costs the same number of queries at any length.
LIVE_VERSION = Prefetch(
    "versions", queryset=AlgorithmVersion.objects.in_production(), to_attr="live"
)


def metrics_of(runs: str) -> Prefetch:
    """Return what loads the summary metrics of the runs at this path, such as "run__"."""
    return Prefetch(f"{runs}metrics", queryset=Metric.objects.summary(), to_attr="summary")


class EndpointSerializer(serializers.ModelSerializer[Endpoint]):
    production = serializers.SerializerMethodField()
    owner = serializers.SerializerMethodField()
    url = serializers.HyperlinkedIdentityField(view_name="api:endpoint", lookup_field="slug")

    class Meta:
        model = Endpoint
        fields = (
            "id",
            "slug",
            *SETTINGS,
            "production",
            "paused_at",
            "owner",
            "created_at",
            "url",
        )

    def get_owner(self, endpoint: Endpoint) -> str:
        return endpoint.created_by.get_username() if endpoint.created_by else ""

    def get_production(self, endpoint: Any) -> int | None:
        return endpoint.live[0].number if endpoint.live else None


class VersionSerializer(serializers.ModelSerializer[AlgorithmVersion]):
    endpoint = serializers.CharField(source="endpoint.slug")
    version = serializers.IntegerField(source="number")
    artifact = serializers.SerializerMethodField()
    metrics = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()

    class Meta:
        model = AlgorithmVersion
        fields: tuple[str, ...] = (
            "endpoint",
            "version",
            "status",
            "threshold",
            "converged",
            "run_id",
            "artifact",
            "metrics",
            "note",
            "created_at",
            "url",
        )

    def get_artifact(self, version: AlgorithmVersion) -> dict[str, str]:
        return {"path": version.artifact_path, "sha256": version.artifact_sha256}

    def get_metrics(self, version: AlgorithmVersion) -> dict[str, dict[str, float]]:
        summary = summary_metrics(version.run)
        return {part: _below(f"{part}_", summary) for part in ("train", "validation")}

    def get_url(self, version: AlgorithmVersion) -> str:
        place = {"slug": version.endpoint.slug, "number": version.number}
        return reverse("api:version", kwargs=place, request=self.context["request"])


class VersionDetailSerializer(VersionSerializer):
    uploaded = serializers.BooleanField(source="run.uploaded")
    evaluations = serializers.SerializerMethodField()
    classes = serializers.SerializerMethodField()
    features = serializers.SerializerMethodField()
    history = serializers.SerializerMethodField()

    class Meta(VersionSerializer.Meta):
        fields = (
            *VersionSerializer.Meta.fields,
            "intended_use",
            "limits",
            "uploaded",
            "evaluations",
            "classes",
            "features",
            "history",
        )

    def get_evaluations(self, version: AlgorithmVersion) -> list[dict[str, Any]]:
        """What was measured here, newest first; of an uploaded model `metrics` are claims."""
        return [
            {
                "dataset": found.dataset_name,
                "sha256": found.dataset_sha256,
                "rows": found.dataset_rows,
                "metrics": found.metrics,
                "by": found.actor_name,
                "at": serializers.DateTimeField().to_representation(found.at),
            }
            for found in version.evaluations.all()
        ]

    def get_classes(self, version: AlgorithmVersion) -> list[str] | None:
        """In the order of their numbers; of two the second is the positive one."""
        try:
            return list(serving.load(version).classes)
        except NoModel:
            return None

    def get_features(self, version: AlgorithmVersion) -> list[dict[str, Any]] | None:
        """A version stays readable when its artefact is not: then its features are null."""
        try:
            columns = serving.load(version).schema.columns
        except NoModel:
            return None
        return [{"name": c.name, "kind": c.kind, "levels": list(c.levels)} for c in columns]

    def get_history(self, version: AlgorithmVersion) -> list[dict[str, Any]]:
        return [step_json(change) for change in version.status_changes.all()]


class RunSerializer(serializers.ModelSerializer[Run]):
    message = serializers.SerializerMethodField()
    experiment = serializers.CharField(source="experiment.name")
    dataset = serializers.SerializerMethodField()
    metrics = serializers.SerializerMethodField()
    url = serializers.HyperlinkedIdentityField(view_name="api:run", lookup_url_kwarg="run_id")

    class Meta:
        model = Run
        fields: tuple[str, ...] = (
            "id",
            "name",
            "experiment",
            "state",
            "solver",
            "converged",
            "iterations",
            "message",
            "dataset",
            "metrics",
            "started_at",
            "ended_at",
            "archived_at",
            "url",
        )

    def get_message(self, run: Run) -> str:
        return visible.message(caller_in(self.context), run)

    def get_dataset(self, run: Run) -> dict[str, Any]:
        return {
            "name": run.dataset_name,
            "sha256": run.dataset_sha256,
            "rows": run.dataset_rows,
            "features": run.dataset_features,
            "synthetic": run.synthetic,
        }

    def get_metrics(self, run: Run) -> dict[str, float]:
        return summary_metrics(run)


class RunDetailSerializer(RunSerializer):
    artifact = serializers.SerializerMethodField()
    params = serializers.SerializerMethodField()
    tags = serializers.SerializerMethodField()
    versions = serializers.SerializerMethodField()
    dataset_id = serializers.CharField(allow_null=True)
    progress = serializers.SerializerMethodField()
    problems = serializers.SerializerMethodField()
    notes = serializers.SerializerMethodField()

    class Meta(RunSerializer.Meta):
        fields = (
            *RunSerializer.Meta.fields,
            "artifact",
            "params",
            "tags",
            "versions",
            "dataset_id",
            "spec",
            "progress",
            "problems",
            "notes",
            "cancel_requested_at",
        )

    def get_progress(self, run: Run) -> dict[str, Any] | None:
        """How far a training under way is, as far as its worker has told."""
        if run.state != RunState.RUNNING:
            return None
        told = run.metrics.filter(key="epoch_train_loss").order_by("-step").first()
        return {
            "iteration": told.step if told else 0,
            "of": run.spec.get("epochs"),
            "loss": told.value if told else None,
        }

    def get_problems(self, run: Run) -> list[dict[str, Any]]:
        return visible.problems(caller_in(self.context), run)

    def get_notes(self, run: Run) -> list[str]:
        """What a training did that nobody asked for."""
        return noting.notes_of(run)

    def get_artifact(self, run: Run) -> dict[str, str] | None:
        if not run.artifact_sha256:
            return None
        return {"path": run.artifact_path, "sha256": run.artifact_sha256}

    def get_params(self, run: Run) -> dict[str, str]:
        return {param.key: param.value for param in run.params.all()}

    def get_tags(self, run: Run) -> dict[str, str]:
        return {tag.key: tag.value for tag in run.tags.all()}

    def get_versions(self, run: Run) -> list[dict[str, Any]]:
        """Return the versions registered from the run, at endpoints that the caller may know."""
        versions = run.versions.filter(endpoint__in=self.context["visible"])
        return [
            {"endpoint": version.endpoint.slug, "version": version.number, "status": version.status}
            for version in versions.select_related("endpoint")
        ]


def series_of(run: Run) -> dict[str, list[list[float]]]:
    """Return the [step, value] points of each series."""
    series: dict[str, list[list[float]]] = {}
    for point in run.metrics.series():
        name = point.key.removeprefix("epoch_")
        series.setdefault(name, []).append([point.step, point.value])
    return series


def summary_metrics(run: Any) -> dict[str, float]:
    return {metric.key: metric.value for metric in run.summary}


def _below(prefix: str, metrics: dict[str, float]) -> dict[str, float]:
    return {key.removeprefix(prefix): v for key, v in metrics.items() if key.startswith(prefix)}

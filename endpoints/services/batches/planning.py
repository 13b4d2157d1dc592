"""Puts together what the reader of tables needs to score a batch: the file, its columns and the model."""

from __future__ import annotations

from django.conf import settings

from endpoints.models import BatchJob
from endpoints.services import snapshots
from endpoints.services.batches import folders
from endpoints.services.tables.plain_text import MOST_UNPACKED
from endpoints.services.tables.plans import ScoringPlan
from endpoints.services.tables.reading import Reading
from mlcore.classifier import Classifier


def most_bytes() -> int:
    return MOST_UNPACKED * int(settings.RAISIN_MAX_FILE_BYTES)


def classifier_of(job: BatchJob, missing_values: str = "") -> Classifier:
    """Return the version's classifier, which fills missing cells if the endpoint does, or did then."""
    policy = missing_values or job.endpoint.missing_values
    return snapshots.filling(snapshots.load(job.version), policy)


def plan(job: BatchJob, classifier: Classifier) -> ScoringPlan:
    reading = Reading.from_dict(job.reading)
    return ScoringPlan(
        source=folders.source(job),
        reading=reading,
        classifier=classifier,
        columns=job.mapping,
        label_column=job.label_column if job.label_column in reading.columns else "",
        version=job.version.number,
    )

"""Lets a file be scored that was checked: its mapping is whole, and somebody may want this."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from endpoints.errors import Conflict, InvalidRequest
from endpoints.models import BatchJob
from endpoints.models.batch import BatchState
from endpoints.services import leases, snapshots
from endpoints.services.access import Caller
from endpoints.services.batches import receiving
from endpoints.services.tables import mapping as matching
from mlcore.errors import cut

OTHER_CHOICES = (
    "Its rows were scored with other choices, up to row {:,}: "
    "start it with those, or upload the file again."
)
STARTABLE = (BatchState.READY, BatchState.NEEDS_ATTENTION)


def start(  # noqa: PLR0913  what a form has
    job: BatchJob,
    *,
    mapping: Mapping[str, str],
    label_column: str,
    log_rows: bool,
    store_labels: bool,
    actor: Caller,
    now: datetime,
) -> BatchJob:
    """Score the rows with these choices. What `mapping` leaves out is answered by the column of its name.

    Raises NotAllowed, InvalidRequest, NoModel, or Conflict where the job is in another state, or where
    rows were scored with other choices.
    """
    receiving.require(actor, job.endpoint)
    receiving.require_texts(label_column, mapping)
    receiving.require_labels(log_rows, store_labels, actor, job.endpoint)
    if job.state not in STARTABLE:
        raise Conflict(f"This job is {job.get_state_display().lower()}: it cannot be started.")
    receiving.answering(job.endpoint, job.version)
    columns = tuple(job.reading["columns"])
    _require_column(label_column, columns)
    chosen = whole_mapping(job, mapping, columns)
    choices = {
        "mapping": chosen,
        "label_column": label_column,
        "log_rows": log_rows,
        "store_labels": store_labels,
    }
    _refuse_other_choices(job, choices)
    report = {**job.check_report, "notes": _notes(job, chosen)}
    with transaction.atomic():
        if not queue_from(job, job.state, check_report=report, **choices):
            raise Conflict("Somebody else has started or cancelled this job.")
        receiving.record("start_batch", job, actor=actor, now=now)
        leases.queue(job, now)
    job.refresh_from_db()
    return job


def whole_mapping(
    job: BatchJob, mapping: Mapping[str, str], columns: tuple[str, ...]
) -> dict[str, str]:
    """Return for each feature the column that answers it; raises InvalidRequest where there is none."""
    receiving.require_features(mapping, job.version)
    features = snapshots.load(job.version).schema.names
    chosen = {name: mapping.get(name) or job.mapping.get(name) or name for name in features}
    for feature, column in chosen.items():
        if column not in columns and mapping.get(feature):
            raise InvalidRequest(
                f"No column is called “{cut(column)}”, which was named for “{feature}”."
            )
        if column not in columns:
            raise InvalidRequest(f"Choose the column that holds {feature}.")
    return chosen


def _notes(job: BatchJob, chosen: Mapping[str, str]) -> list[str]:
    """Return the notes of the check, with what is to be said of these columns instead of its own."""
    before = set(matching.notes(job.mapping))
    kept = [note for note in job.check_report.get("notes", []) if note not in before]
    return [*kept, *matching.notes(chosen)]


def queue_from(job: BatchJob, state: str, **facts: object) -> bool:
    """Let a job wait that rests in this state; False if it does so no more, or was scored meanwhile."""
    resting = BatchJob.objects.filter(pk=job.pk, state=state, started_at=job.started_at)
    fresh = {
        "state": BatchState.QUEUED,
        "message": "",
        "ended_at": None,
        "cancel_requested_at": None,
    }
    if not resting.update(**fresh, **facts):
        return False
    job.refresh_from_db()
    return True


def _refuse_other_choices(job: BatchJob, choices: Mapping[str, object]) -> None:
    if job.cursor and any(getattr(job, name) != chosen for name, chosen in choices.items()):
        raise Conflict(OTHER_CHOICES.format(job.rows_done))


def _require_column(name: str, columns: tuple[str, ...]) -> None:
    if name and name not in columns:
        raise InvalidRequest(f"The file has no column “{name[:80]}” with true labels.")

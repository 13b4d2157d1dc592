"""The log as a table: a line a scored row, with its true label and, if allowed, its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Prefetch

from endpoints import downloads
from endpoints.errors import NoModel
from endpoints.filters import PredictionFilter
from endpoints.models import AlgorithmVersion, Endpoint, Feedback, PredictionRequest
from endpoints.services import overview, serving
from endpoints.services.abtests import part_columns

CHUNK = 500
FACTS = (
    "prediction_id", "request_id", "row", "time", "version", "source", "protocol", "caller",
    "probability", "threshold", "prediction", "true_label", "correct", "latency_ms",
    *part_columns.NAMES,
)  # fmt: skip


@dataclass(frozen=True)
class Answered:
    """A version that stands in the log: its number and, where inputs are wanted, its columns."""

    number: int
    columns: Sequence[str]


def current_labels() -> Prefetch:
    return Prefetch("feedback", Feedback.objects.filter(current=True), to_attr="current_labels")


def answered(endpoint: Endpoint, *, with_inputs: bool) -> dict[int, Answered]:
    """Return every version that ever answered, by key."""
    versions = overview.that_answered(endpoint.versions.select_related("endpoint"))
    return {v.pk: Answered(v.number, _columns(v) if with_inputs else ()) for v in versions}


def header(versions: dict[int, Answered]) -> list[str]:
    """Return the facts, then the columns of all versions, each once."""
    columns = dict.fromkeys(name for version in versions.values() for name in version.columns)
    return [*FACTS, *columns]


def lines(filtered: PredictionFilter, versions: dict[int, Answered]) -> Iterator[list[object]]:
    """Read the log in pieces, newest first; look at no more than MOST_ROWS requests, write no more lines."""
    columns = header(versions)[len(FACTS) :]
    newest = filtered.qs.order_by("-id").prefetch_related(current_labels(), part_columns.RELATED)
    written = 0
    for entry in newest[: downloads.MOST_ROWS].iterator(chunk_size=CHUNK):
        version = versions.get(entry.version_id)
        if version is None:  # it has answered for the first time since
            continue
        for row in filtered.rows_of(entry)[: downloads.MOST_ROWS - written]:
            written += 1
            cells = dict(zip(version.columns, entry.inputs[row], strict=False))
            yield [*_facts(entry, row, version), *(cells.get(name) for name in columns)]
        if written >= downloads.MOST_ROWS:
            return


def _facts(entry: PredictionRequest, row: int, version: Answered) -> list[object]:
    labels: list[Feedback] = entry.current_labels  # type: ignore[attr-defined]
    label = next((label for label in labels if label.row == row), None)
    return [
        f"{entry.pk}:{row}", entry.pk, row, entry.created_at.isoformat(), version.number,
        entry.source, entry.protocol, entry.caller, entry.probability_of(row), entry.threshold,
        entry.predictions[row], label.label if label else None, label.correct if label else None,
        entry.latency_us / 1_000, *part_columns.values(entry, row),
    ]  # fmt: skip


def _columns(version: AlgorithmVersion) -> Sequence[str]:
    try:
        return serving.load(version).schema.names
    except NoModel:
        return ()

"""Keeps the true labels of a batch as feedback on its logged rows; the same label twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from endpoints.models import BatchJob
from endpoints.models.prediction import Source
from endpoints.services import label_store
from endpoints.services.access import Caller
from endpoints.services.batches.row_log import Kept
from endpoints.services.label_store import Logged, TrueLabel


class TrueLabels:
    def __init__(self, job: BatchJob, classes: Sequence[str]) -> None:
        self._job, self._actor, self._classes = job, _actor(job), frozenset(classes)

    def keep(self, kept: Kept) -> tuple[int, int]:
        """Store those of one entry; return how many are there now, and how many name no class."""
        given = sum(text is not None for text in kept.true_labels)
        labels = list(self._labels(kept))
        if labels:
            label_store.store_many(labels, actor=self._actor)
        return len(labels), given - len(labels)

    def _labels(self, kept: Kept) -> Iterator[TrueLabel]:
        logged = Logged(kept.id, self._job.version, kept.created_at, Source.BATCH)
        for row, text in enumerate(kept.true_labels):
            if text is not None and text in self._classes:
                yield TrueLabel(logged, row, text, kept.labels[row], kept.created_at)


def _actor(job: BatchJob) -> Caller:
    """Whoever handed in the file; only the name may be left of them."""
    if job.key is None and job.created_by is not None:
        return Caller(user=job.created_by)
    return Caller(system=job.created_by_name)

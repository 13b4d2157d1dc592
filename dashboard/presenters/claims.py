"""What an uploader says of a model beside what was measured here; it measures nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dashboard import metrics
from dashboard.file_forms import RowsForm
from endpoints.models import AlgorithmVersion, Evaluation
from endpoints.services import evaluating


@dataclass(frozen=True)
class ClaimRow:
    """A metric as it is claimed, on validation rows of the uploader's, and as it was found here."""

    key: str
    title: str
    claimed: float | None
    found: float | None

    @property
    def change(self) -> float | None:
        if self.claimed is None or self.found is None:
            return None
        return self.found - self.claimed


@dataclass(frozen=True)
class Judgement:
    evaluation: Evaluation
    rows: tuple[ClaimRow, ...]


@dataclass(frozen=True)
class Claims:
    """The judgements, newest first, and the version whose holdout rows have not been asked yet."""

    judgements: tuple[Judgement, ...]
    judge: AlgorithmVersion | None
    form: RowsForm

    @property
    def newest(self) -> Judgement | None:
        return self.judgements[0] if self.judgements else None

    @property
    def earlier(self) -> tuple[Judgement, ...]:
        return self.judgements[1:]


def of(
    version: AlgorithmVersion, numbers: Mapping[str, float], form: RowsForm | None = None
) -> Claims | None:
    """Return the claims of a version that was uploaded; None for one that was trained here."""
    if not version.run.uploaded:
        return None
    evaluations = list(version.evaluations.all())
    judge = evaluating.holdout_of(version)
    if judge is not None:
        name = evaluating.holdout_name(judge)
        judge = None if any(known.dataset_name == name for known in evaluations) else judge
    judgements = tuple(Judgement(found, _rows(found, numbers)) for found in evaluations)
    return Claims(judgements, judge, form or RowsForm())


def found_here(versions: Iterable[AlgorithmVersion], metric: str) -> dict[int, float]:
    """Return the newest value of a metric by version, of those uploaded versions that have one."""
    uploaded = [version for version in versions if version.run.uploaded]
    if not uploaded:
        return {}
    oldest_first = Evaluation.objects.filter(version__in=uploaded).order_by("at", "pk")
    values = {found.version_id: found.metrics.get(metric) for found in oldest_first}
    return {version: value for version, value in values.items() if value is not None}


def _rows(evaluation: Evaluation, numbers: Mapping[str, float]) -> tuple[ClaimRow, ...]:
    rows = (
        ClaimRow(key, title, numbers.get(f"validation_{key}"), evaluation.metrics.get(key))
        for key, title in metrics.TITLES.items()
    )
    return tuple(row for row in rows if row.claimed is not None or row.found is not None)

"""The newest probabilities that match a filter, as a histogram; it reads a bounded part of the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice

from dashboard.presenters import keyset
from endpoints.filters import PredictionFilter
from endpoints.models.prediction import headline
from endpoints.services import histograms
from endpoints.services.histograms import Counts

MOST_REQUESTS, MOST_ROWS = 2_000, 20_000


@dataclass
class Sample:
    """Rows by bin of probability; `is_all` says that no request that matches was left out."""

    is_all: bool
    counts: Counts = field(default_factory=dict)
    requests: int = 0
    rows: int = 0
    many_classes: bool = False

    @property
    def title(self) -> str:
        if self.many_classes:
            return "Probability of the predicted class"
        return "Predicted probabilities"

    @property
    def histogram(self) -> tuple[int, ...]:
        return histograms.score_counts(self.counts)

    def add(self, probabilities: list[float | list[float]]) -> None:
        """Add a request; where there are three or more classes it has a list of them a row."""
        self.requests += 1
        self.rows += len(probabilities)
        self.many_classes |= isinstance(probabilities[0], list)
        for found in probabilities:
            histograms.add(self.counts, {histograms.score_bin(headline(found)): 1})


def take(filtered: PredictionFilter) -> Sample:
    log, has_more = keyset.newest(filtered)
    sample = Sample(is_all=not has_more)
    if filtered.matcher is None:
        log = log[: MOST_REQUESTS + 1]
    for found in islice(filtered.matching(log, "probabilities"), MOST_REQUESTS + 1):
        if sample.requests == MOST_REQUESTS or sample.rows >= MOST_ROWS:
            sample.is_all = False
            break
        probabilities = found.columns["probabilities"]
        sample.add([probabilities[row] for row in found.rows])
    return sample

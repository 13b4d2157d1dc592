"""What another threshold would do, or leaving doubtful rows to a person: small tables of texts."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard import formats
from dashboard.presenters.summary_words import of_100
from endpoints.services import card_evidence
from endpoints.services.card_evidence import Evidence
from mlcore.classifier import Classifier


@dataclass(frozen=True)
class Grid:
    """A small table of texts; `marked` is the row that is in use."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marked: int | None
    note: str


def sensitivity(classifier: Classifier | None, found: Evidence | None) -> Grid | None:
    if classifier is None or found is None:
        return None
    if classifier.threshold is None:
        return _by_sureness(found)
    positive = classifier.classes[1]
    cuts = card_evidence.cuts(found, classifier.threshold)
    return Grid(
        title="If the threshold were another",
        header=(
            "Threshold",
            f"Called {positive}, of 100",
            "of these rightly",
            f"{positive} found, of 100",
            "All answers right, of 100",
        ),
        rows=tuple(
            (
                formats.score(cut.threshold),
                of_100(cut.called),
                "–" if cut.precision is None else formats.percent(cut.precision),
                "–" if cut.recall is None else of_100(cut.recall),
                of_100(cut.accuracy),
            )
            for cut in cuts
        ),
        marked=next(place for place, cut in enumerate(cuts) if cut.is_in_use),
        note=f"On {found.whole.n:,} held-out rows. A row is called {positive} from the threshold on.",
    )


def _by_sureness(found: Evidence) -> Grid:
    return Grid(
        title="If a person answered the doubtful rows",
        header=(
            "Its probability at least",
            "Answered, of 100",
            "of these rightly",
            "95 % interval",
        ),
        rows=tuple(
            (
                "any" if not row.at_least else formats.percent(row.at_least),
                of_100(row.answered),
                "–" if row.accuracy is None else formats.percent(row.accuracy),
                "–"
                if row.low is None
                else f"{formats.percent(row.low)} to {formats.percent(row.high)}",
            )
            for row in card_evidence.sureness(found)
        ),
        marked=0,
        note=f"On {found.whole.n:,} held-out rows. The most probable class is the answer.",
    )

"""The decision summary of a version: one page for people who decide without statistics.

It weighs nothing: key figures, what they mean, what they rest on, what may go wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from dashboard import formats
from dashboard.presenters import history, markdown, summary_figures, summary_grids, summary_words
from dashboard.presenters.summary_figures import Figure, Judged, Subject
from dashboard.presenters.summary_grids import Grid
from dashboard.presenters.summary_words import between, of_100
from endpoints.models import AlgorithmVersion
from endpoints.services import card_evidence
from endpoints.services.card_evidence import Evidence, RivalReport
from endpoints.services.cards import CardTexts
from mlcore.classifier import Classifier
from mlcore.intervals import wilson

# More would not fit the page; the model card has the whole text.
LONGEST_PURPOSE = 400
MOST_SLICES = 3
TOLD_ALREADY = ("card", "convergence")


@dataclass(frozen=True)
class Summary:
    """The page in order. Every text is plain, for HTML and Markdown alike."""

    title: str
    question: str
    purpose: str
    headline: str
    meaning: tuple[str, ...]
    figures: tuple[Figure, ...]
    comparison: tuple[str, ...]
    sensitivity: Grid | None
    assumptions: tuple[str, ...]
    risks: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    made_at: datetime


def of(subject: Subject, *, now: datetime) -> Summary:
    version, classifier = subject.version, subject.loaded.classifier
    found = None if isinstance(subject.evidence, str) else subject.evidence
    judged = summary_figures.judged_of(subject)
    return Summary(
        title=f"{version.endpoint.name} {version.label}",
        question=version.endpoint.description,
        purpose=markdown.first_words(version.intended_use, LONGEST_PURPOSE),
        headline=_headline(version, judged),
        meaning=tuple(_meaning(subject, judged)),
        figures=tuple(summary_figures.of(subject, judged)),
        comparison=tuple(_comparison(subject)),
        sensitivity=summary_grids.sensitivity(classifier, found),
        assumptions=tuple(
            summary_words.assumptions(version, classifier, found.whole.positive if found else None)
        ),
        risks=tuple(_risks(subject, judged)),
        facts=tuple(_facts(subject)),
        made_at=now,
    )


def _headline(version: AlgorithmVersion, judged: Judged | None) -> str:
    if judged is None:
        return f"How often {version.label} is right is not known here."
    start = "Its uploader says: of" if judged.is_claim else "Of"
    return (
        f"{start} 100 rows like those it was tested on, {version.label} gets about "
        f"{of_100(judged.accuracy)} right."
    )


def _meaning(subject: Subject, judged: Judged | None) -> Iterator[str]:
    classifier = subject.loaded.classifier
    if judged is None:
        return
    if not judged.n:
        yield "No number of test rows is known, so nothing says how sure that is."
        return
    low, high = wilson(round(judged.accuracy * judged.n), judged.n)
    yield (
        f"It was tested on {judged.n:,} {judged.source}; with so many the true figure may lie "
        f"anywhere from {between(low, high)} (95 % interval)."
    )
    if classifier is None or not judged.counts:
        return
    yield from summary_words.confusion(classifier.classes, judged.counts)
    totals = [sum(row) for row in judged.counts]
    commonest = totals.index(max(totals))
    yield (
        f"Always answering {classifier.classes[commonest]} would get "
        f"{of_100(totals[commonest] / judged.n)} right."
    )


def _comparison(subject: Subject) -> Iterator[str]:
    version, live = subject.version, subject.live
    if live is None:
        yield "Nothing is in production, so there is nothing to compare with."
    elif live == version:
        yield f"{version.label} is the version in production."
    elif subject.loaded.classifier is None:
        yield f"It cannot be compared with {live.label}, which is in production. {subject.evidence}"
    elif isinstance(subject.evidence, str):
        yield from _on_rows_of(live, subject.loaded.classifier, version)
    else:
        yield from _against(live, subject.evidence, subject.loaded.classifier, version.label)
        if live.run.uploaded:
            yield summary_words.borrowed(live, version)


def _on_rows_of(
    live: AlgorithmVersion, classifier: Classifier, version: AlgorithmVersion
) -> Iterator[str]:
    """Without rows of its own, as an upload is, those of the version in production judge it."""
    found = card_evidence.of(live, classifier)
    if isinstance(found, str):
        yield (
            f"It cannot be compared with {live.label}, which is in production: no rows are kept "
            "here that both can answer."
        )
        return
    yield from _against(live, found, classifier, version.label)
    yield summary_words.borrowed(version, live)


def _against(
    live: AlgorithmVersion, rows: Evidence, classifier: Classifier, label: str
) -> Iterator[str]:
    rival = card_evidence.against(rows, classifier, live)
    if isinstance(rival, RivalReport):
        yield from summary_words.comparison(label, rival)
    else:
        yield rival


def _risks(subject: Subject, judged: Judged | None) -> Iterator[str]:
    version, loaded = subject.version, subject.loaded
    known = subject.findings
    if loaded.problem:
        yield loaded.problem
    yield from summary_words.risks_of_data(version, judged.n if judged else 0)
    yield from summary_words.risks_of_fit(known["report"], known["calibration_words"])
    if subject.card and subject.card.slices:
        for column, row in subject.card.slices.worse[:MOST_SLICES]:
            yield (
                f"It does worse where {column} is {row.name}: about {of_100(row.found.accuracy)} of "
                f"100 right, {between(row.found.accuracy_low, row.found.accuracy_high)} with 95 % "
                f"confidence ({row.found.n:,} rows)."
            )
    missing = CardTexts.of(version).missing
    if missing:
        yield f"Nobody has written on its model card: {' and '.join(missing)}."
    yield from _gate_risks(subject)


def _gate_risks(subject: Subject) -> Iterator[str]:
    words = {"fail": "failed", "warn": "warns"}
    for gate in subject.gates:
        if gate.verdict in words and gate.code not in TOLD_ALREADY:
            yield f"The gate “{gate.name}” {words[gate.verdict]}: {gate.message}"
    last = [subject.last_promotion] if subject.last_promotion else []
    for told in history.told(last):
        if told.overruled:
            yield (
                f"{told.what.actor_name} promoted it although gates had failed ({told.overruled}): "
                f"{told.what.reason}"
            )


def _facts(subject: Subject) -> Iterator[tuple[str, str]]:
    version, classifier = subject.version, subject.loaded.classifier
    run = version.run
    yield "Status", version.get_status_display()
    if subject.card is not None and classifier is not None:
        yield "Model", f"{subject.card.family}, answers {' or '.join(classifier.classes)}"
    if version.threshold is not None:
        yield "Threshold", formats.score(version.threshold)
    synthetic = " (synthetic)" if run.synthetic else ""
    yield (
        "Data",
        f"{run.dataset_name}{synthetic}, {run.dataset_rows:,} rows, {run.dataset_sha256[:12]}",
    )
    by = f" by {version.created_by.get_username()}" if version.created_by else ""
    yield "Registered", f"{version.created_at:%d %b %Y}{by}".lstrip("0")
    yield "Checksum", version.artifact_sha256[:12]

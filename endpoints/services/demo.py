"""Fills an empty installation with the Raisin story: three runs, their lifecycle, labelled traffic.

Everything goes through the services that people use; only the clock is told, so that a week has passed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter_ns
from typing import Any
from uuid import UUID

import numpy as np

from endpoints import request_ids
from endpoints.models import AlgorithmVersion, Endpoint
from endpoints.models.prediction import Source
from endpoints.services import (
    cards,
    catalog,
    label_store,
    lifecycle,
    request_log,
    scoring,
    serving,
)
from endpoints.services.access import Caller
from endpoints.services.alerts import rules
from endpoints.services.cards import CardTexts
from endpoints.services.label_store import Logged, TrueLabel
from endpoints.services.monitoring.tick import tick
from endpoints.services.serving import Answer, Question, Row
from endpoints.services.tallies import Answered
from endpoints.services.training import TrainingJob, run_training
from endpoints.services.transitions import Decision
from endpoints.services.words import DEMO
from mlcore.evaluation import table_rows
from mlcore.split import splitmix64
from mlcore.table import Table
from mlcore.training import TrainingSpec

Clock = Callable[[], datetime]
Settings = dict[str, Any]
SLUG = "raisin"
PREDICTIONS = 2_000
LABELLED_SHARE = 0.8
SEED = 7
SPECS: tuple[tuple[str, Settings], ...] = (
    ("Gradient descent", {"solver": "gd"}),
    ("Newton", {"solver": "newton"}),
    ("Newton, threshold tuned for F1", {"solver": "newton", "threshold": "f1"}),
)
CARD = CardTexts(
    intended_use="Sorts raisins that were photographed one by one under the same light.\n\n"
    "- **Who:** the packing line\n- **What for:** grading a batch by its share of Besni",
    limits="Not for single grains of great value: **about one in eight is sorted wrongly**. Not "
    "tried on other varieties, other cameras or grains that touch each other.",
)


@dataclass(frozen=True)
class Demo:
    endpoint: Endpoint
    versions: tuple[AlgorithmVersion, ...]
    table: Table


def load(*, actor: Caller, clock: Clock, say: Callable[[str], None]) -> Demo:
    """Build the demo in an installation without a Raisin endpoint."""
    table = catalog.raisin_table()
    say(f"Data: {table.name}, {len(table.rows)} rows" + (" (SYNTHETIC)" if table.synthetic else ""))
    now = clock()
    start = now - timedelta(days=7)
    endpoint = _endpoint(actor, start)
    versions = tuple(
        _train(endpoint, table, spec, actor, _told(clock, start + timedelta(minutes=10 * position)))
        for position, spec in enumerate(SPECS)
    )
    say(f"Trained and registered {len(versions)} runs")
    _decide(versions, actor, start)
    rules.add_default(endpoint, actor=actor, now=start)
    _traffic(endpoint, versions, table, start, now)
    say(f"Logged {PREDICTIONS} predictions with feedback")
    tick(endpoint, clock)
    return Demo(endpoint, versions, table)


def _endpoint(actor: Caller, now: datetime) -> Endpoint:
    endpoint = catalog.create_endpoint(
        slug=SLUG, name="Raisin", actor=actor, now=now, public_predictions=True
    )
    endpoint.description = "Is this grain a Kecimen or a Besni?"
    endpoint.save(update_fields=["description"])
    return endpoint


def _train(
    endpoint: Endpoint, table: Table, named: tuple[str, Settings], actor: Caller, clock: Clock
) -> AlgorithmVersion:
    name, settings = named
    job = TrainingJob(
        table=table,
        spec=TrainingSpec(target="Class", positive="Besni", **settings),
        experiment=SLUG,
        name=name,
        actor=actor,
    )
    run = run_training(job, clock=clock).run
    return lifecycle.register(run=run, endpoint=endpoint, actor=actor, now=clock())


def _told(clock: Clock, start: datetime) -> Clock:
    """A clock that is told another start, and goes on as the real one does."""
    began = clock()
    return lambda: start + (clock() - began)


def _decide(versions: tuple[AlgorithmVersion, ...], actor: Caller, start: datetime) -> None:
    """The first version goes live, the second replaces it two days later, the third waits for an answer."""
    first, second, third = versions
    for version in versions[1:]:
        cards.write(
            version=version,
            texts=CARD,
            seen=CardTexts.of(version).digest,
            actor=actor,
            now=start + timedelta(hours=1),
        )
    story = (
        (first, start + timedelta(hours=1), "First model, so that callers can be connected."),
        (
            second,
            start + timedelta(days=2),
            "Newton reaches the optimum; gradient descent did not.",
        ),
    )
    for version, at, reason in story:
        decision = Decision(actor=actor, now=at, reason=reason)
        lifecycle.stage(version=version, decision=decision)
        lifecycle.promote(version=version, decision=decision)
    asked = Decision(
        actor=actor, now=start + timedelta(days=6), reason="Better F1 on training rows."
    )
    lifecycle.request_promotion(version=third, decision=asked)


def _traffic(
    endpoint: Endpoint,
    versions: tuple[AlgorithmVersion, ...],
    table: Table,
    start: datetime,
    now: datetime,
) -> None:
    """Spread real rows over the week; each is answered by the version that was live then."""
    switch = start + timedelta(days=2)
    begin = start + timedelta(hours=2)
    draws = splitmix64(np.arange(3 * PREDICTIONS, dtype=np.uint64), SEED).reshape(3, PREDICTIONS)
    chosen = (draws[0] % np.uint64(len(table.rows))).astype(int)
    uniform = draws[1:] / 2.0**64
    moments = sorted(begin + (now - begin) * float(share) for share in uniform[0])
    before = sum(moment < switch for moment in moments)
    labelled = uniform[1] < LABELLED_SHARE
    parts = ((versions[0], slice(0, before)), (versions[1], slice(before, None)))
    for version, part in parts:
        indices = chosen[part].tolist()
        _log(version, table, indices, moments[part], labelled[part].tolist(), now)


def _log(
    version: AlgorithmVersion,
    table: Table,
    indices: list[int],
    moments: list[datetime],
    labelled: list[bool],
    now: datetime,
) -> None:
    """Score once, store a request a row, and labels for most of them some hours later."""
    classifier = serving.load(version)
    rows = table_rows(classifier, table)
    answered, labels = [], []
    target = table.header.index(classifier.target)
    for index, moment, has_label in zip(indices, moments, labelled, strict=True):
        answer = _answered(version, rows[index], moment)
        answered.append(answer)
        came = moment + timedelta(hours=6)
        if has_label and came < now:
            label = table.rows[index][target]
            logged = Logged(UUID(answer.entry.id), version, moment, answer.entry.source)
            labels.append(TrueLabel(logged, 0, label, answer.entry.label, came))
    request_log.log().write_all(answered)
    label_store.store_many(labels, actor=Caller(system=DEMO))


def _answered(version: AlgorithmVersion, row: Row, moment: datetime) -> Answered:
    question = Question(
        slug=version.endpoint.slug, rows=[row], caller=Caller(system=DEMO), source=Source.DEMO
    )
    started = perf_counter_ns()
    scored = scoring.score(serving.load(version), [row])
    answer = Answer(request_ids.new(moment), version.endpoint, version, scored)
    latency_us = (perf_counter_ns() - started) // 1_000
    return serving.logged(answer, question, now=moment, latency_us=latency_us)

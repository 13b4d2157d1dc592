"""Lets the challenger of a shadow test score what the control has answered; nobody waits for its errors.

It writes nothing: what it returns goes into the log with the answer.
"""

from __future__ import annotations

import logging
from time import perf_counter_ns
from typing import NamedTuple

import orjson

from endpoints.services import scoring
from endpoints.services.abtests.running import Arm
from endpoints.services.arm_tallies import Tried
from endpoints.services.scoring import Scored, Table
from mlcore.errors import SchemaError

NOTHING = "{}"

logger = logging.getLogger(__name__)


class Shadow(NamedTuple):
    """What the challenger says, as the log keeps it, and what is counted of that."""

    answer: str
    tried: Tried


def cast(challenger: Arm, rows: Table, answered: Scored) -> Shadow:
    """Score the same rows; whatever goes wrong counts as an error of the challenger and is nothing more."""
    started = perf_counter_ns()
    predictions = answered.predictions
    try:
        scored = scoring.score(challenger.classifier, rows)
        latency_us = (perf_counter_ns() - started) // 1_000
        agreed = sum(map(int.__eq__, scored.predictions, predictions))
        answer = _packed(challenger, scored)
    except SchemaError:
        return _failure(challenger)
    except Exception:
        logger.exception("%s could not score what was answered", challenger.version)
        return _failure(challenger)
    return Shadow(answer, Tried(challenger.pk, None, len(predictions), latency_us, agreed))


def _packed(challenger: Arm, scored: Scored) -> str:
    probabilities = scored.headlines if challenger.classifier.is_binary else scored.probabilities
    said = {
        "version": challenger.version.number,
        "predictions": scored.predictions,
        "probabilities": probabilities,
    }
    return orjson.dumps(said, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _failure(challenger: Arm) -> Shadow:
    return Shadow(NOTHING, Tried(challenger.pk, None, 0, None))

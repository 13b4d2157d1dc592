"""Writes the request log: an answered request is a logged request; the reply waits for the commit."""

from __future__ import annotations

from endpoints.models import PredictionRequest


def write(entry: PredictionRequest) -> None:
    entry.save(force_insert=True)

"""scikit-learn as a BentoML service with one worker and no access log."""

# What it imports lives in an environment of its own.
# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator"

from __future__ import annotations

import os
from pathlib import Path

import bentoml
import joblib
import numpy as np

from benchmarks.peers.grain import Grain


@bentoml.service(name="raisin", workers=1, logging={"access": {"enabled": False}})
class Raisin:
    def __init__(self) -> None:
        self.model = joblib.load(Path(os.environ["PEER_MODEL"]) / "model.joblib")
        self.classes = self.model.classes_.tolist()

    @bentoml.api
    async def predict(self, grain: Grain) -> dict[str, str | float]:
        probability = float(self.model.predict_proba(np.array([grain.values()]))[0, 1])
        return {"label": self.classes[probability >= 0.5], "probability": probability}

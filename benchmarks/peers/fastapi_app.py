"""scikit-learn behind FastAPI, as its tutorial writes it; served by uvicorn with uvloop and httptools."""

# What it imports lives in an environment of its own.
# mypy: disable-error-code="import-not-found, import-untyped, misc, untyped-decorator"

from __future__ import annotations

import os
from pathlib import Path

import joblib
import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.peers.grain import Grain

app = FastAPI()
model = joblib.load(Path(os.environ["PEER_MODEL"]) / "model.joblib")
classes = model.classes_.tolist()


class Answer(BaseModel):
    label: str
    probability: float


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "OK"}


@app.post("/predict")
async def predict(grain: Grain) -> Answer:
    """Not in a thread: for a model this small the change of threads costs more than the model."""
    probability = float(model.predict_proba(np.array([grain.values()]))[0, 1])
    return Answer(label=classes[probability >= 0.5], probability=probability)

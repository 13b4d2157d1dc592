"""`python -m benchmarks.peers.save PEER FOLDER`: fit scikit-learn's pipeline and save it as the peer wants it.

The peers save models as pickles. That is their way; none of it is read outside of their environments.
"""

# What it imports lives in an environment of its own.
# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from mlcore.datasets import synthetic_raisin


def grains() -> tuple[NDArray[np.float64], NDArray[np.str_], list[str]]:
    """The synthetic table: what the weights are does not change what a request costs."""
    table = synthetic_raisin()
    X = np.array([[float(cell) for cell in row[:-1]] for row in table.rows])
    return X, np.array([row[-1] for row in table.rows]), list(table.header[:-1])


def pipeline() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression())


def with_joblib(folder: Path) -> None:
    X, y, _ = grains()
    joblib.dump(pipeline().fit(X, y), folder / "model.joblib")


def with_mlflow(folder: Path) -> None:
    """With column names and a signature, as its documentation asks for."""
    import mlflow.sklearn
    import pandas as pd

    X, y, names = grains()
    frame = pd.DataFrame(X, columns=names)
    fitted = pipeline().fit(frame, y)
    signature = mlflow.models.infer_signature(frame, fitted.predict_proba(frame))
    mlflow.sklearn.save_model(
        fitted, folder / "saved", signature=signature, pyfunc_predict_fn="predict_proba"
    )


def with_mlserver(folder: Path) -> None:
    with_joblib(folder)
    settings = {
        "name": "raisin",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./model.joblib", "version": "1"},
    }
    (folder / "model-settings.json").write_text(json.dumps(settings))


SAVERS = {
    "fastapi": with_joblib,
    "mlflow": with_mlflow,
    "mlserver": with_mlserver,
    "bentoml": with_joblib,
}


def main(peer: str, place: str) -> None:
    folder = Path(place)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    SAVERS[peer](folder)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The training walkthrough runs on real and on synthetic grains, and its numbers are right."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from mlcore import Table, read_csv, stratified_split, synthetic_raisin
from tests.notebooks.executed import FOLDER, Executed, execute

LAMBDA = 0.01
READ = """
loss_at_zero dw db loss_after_one_step gradient_error
train_losses valid_losses train_accuracies valid_accuracies model.W
newton.weights newton.intercept same_as_ours descent.message curvatures epochs_needed
penalised.weights penalised_difference boundary_accuracy
grain contributions grain_logit grain_probability unfinished finished
"""
# A proxy that nobody answers at: no download, so the stand-in takes over at once.
NOWHERE = "http://127.0.0.1:9"
OFFLINE = {"https_proxy": NOWHERE, "HTTPS_PROXY": NOWHERE, "no_proxy": "", "NO_PROXY": ""}


@dataclass(frozen=True)
class Walk:
    """One run of the notebook, and the same grains as scikit-learn prepares them."""

    executed: Executed
    X: np.ndarray
    y: np.ndarray
    X_valid: np.ndarray
    y_valid: np.ndarray
    synthetic: bool

    def __getitem__(self, expression: str) -> Any:
        return self.executed.values[expression]

    def reference(self, lambda_: float, columns: Any = slice(None)) -> LogisticRegression:
        C = 1 / (len(self.y) * lambda_) if lambda_ else np.inf
        model = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12, max_iter=200)
        return model.fit(self.X[:, columns], self.y)


def prepared(executed: Executed, table: Table) -> Walk:
    X = np.array([row[:-1] for row in table.rows], dtype=float)
    y = np.array([row[-1] == "Besni" for row in table.rows], dtype=float)
    train, valid = stratified_split(y, test_size=0.2, seed=7)
    scale = StandardScaler().fit(X[train]).transform
    return Walk(executed, scale(X[train]), y[train], scale(X[valid]), y[valid], table.synthetic)


def real_file() -> Path:
    home = Path(os.environ.get("RAISIN_HOME", "var"))
    path = Path(os.environ.get("RAISIN_CSV") or home / "datasets" / "raisin.csv").resolve()
    if not path.is_file():
        pytest.skip("needs the real Raisin data: set RAISIN_CSV to its file")
    return path


def everything_there() -> set[str]:
    return {str(path) for path in (*FOLDER.rglob("*"), *FOLDER.parent.glob("[!.]*"))}


@pytest.fixture(scope="module", params=["real", "synthetic"])
def walk(request: pytest.FixtureRequest) -> Walk:
    if request.param == "synthetic":
        return prepared(execute("training", read=READ, environment=OFFLINE), synthetic_raisin())
    path = real_file()
    executed = execute("training", read=READ, environment={"RAISIN_CSV": str(path)})
    return prepared(executed, read_csv(path, name="raisin"))


def test_it_works(walk: Walk) -> None:
    """Every cell ran, none warned or printed, and every figure was drawn."""
    assert walk.executed.streams() == []
    assert walk.executed.figures() == ["curves", "compare", "boundary", "explain-plot", "reasons"]


def test_it_says_what_data_it_used(walk: Walk) -> None:
    text = walk.executed.texts("data")
    assert ("SYNTHETIC stand-in data" in text) is walk.synthetic
    assert ("synthetic stand-in: its numbers say nothing" in text) is walk.synthetic
    assert ("real Raisin data" in text) is not walk.synthetic


def test_the_first_step_is_right(walk: Walk) -> None:
    """With p = 1/2 everywhere the gradient is X'(1/2 - y)/n, and the step is a tenth of it."""
    gradient = walk.X.T @ (0.5 - walk.y) / len(walk.y)
    assert walk["loss_at_zero"] == pytest.approx(np.log(2))
    assert walk["dw"] == pytest.approx(gradient)
    assert walk["db"] == pytest.approx(0.5 - walk.y.mean())
    z = -0.1 * (walk.X @ gradient + walk["db"])
    assert walk["loss_after_one_step"] == pytest.approx(log_loss(walk.y, 1 / (1 + np.exp(-z))))


def test_the_gradient_check_passes(walk: Walk) -> None:
    assert 0 < walk["gradient_error"] < 1e-9


def test_the_loss_falls_in_every_epoch(walk: Walk) -> None:
    losses = walk["train_losses"]
    assert len(losses) == len(walk["valid_losses"]) == 1000
    assert losses[:2] == [walk["loss_at_zero"], walk["loss_after_one_step"]]
    assert (np.diff(losses) < 0).all()


def test_newton_finds_the_optimum(walk: Walk) -> None:
    expected = walk.reference(lambda_=0)
    assert walk["newton.weights"] == pytest.approx(expected.coef_[0], rel=1e-4, abs=1e-4)
    assert walk["newton.intercept"] == pytest.approx(expected.intercept_[0], rel=1e-4)


def test_accuracy_looks_right_while_the_weights_are_far_off(walk: Walk) -> None:
    expected = walk.reference(lambda_=0)
    assert walk["train_accuracies"][-1] == pytest.approx(expected.score(walk.X, walk.y), abs=0.01)
    right = expected.score(walk.X_valid, walk.y_valid)
    assert walk["valid_accuracies"][-1] == pytest.approx(right, abs=0.01)
    assert np.abs(np.array(walk["model.W"]) - expected.coef_[0]).max() > 3


def test_the_curvatures_are_those_of_the_optimum(walk: Walk) -> None:
    p = walk.reference(lambda_=0).predict_proba(walk.X)[:, 1]
    ones = np.column_stack((walk.X, np.ones(len(walk.X))))
    expected = np.linalg.eigvalsh(ones.T @ np.diag(p * (1 - p)) @ ones / len(p))
    assert walk["curvatures"] == pytest.approx(expected, rel=1e-3)
    assert walk["epochs_needed"] == pytest.approx(1 / (0.1 * expected[[-1, 0]]), rel=1e-3)


def test_the_library_descends_as_we_do_and_says_that_it_has_not_arrived(walk: Walk) -> None:
    assert walk["same_as_ours"] is True
    assert "not converged after 1000 epochs" in walk.executed.texts("honest")


def test_with_a_penalty_both_solvers_arrive(walk: Walk) -> None:
    expected = walk.reference(LAMBDA)
    assert walk["penalised.weights"] == pytest.approx(expected.coef_[0], rel=1e-6, abs=1e-6)
    assert walk["penalised_difference"] < 1e-6
    assert walk["descent.message"].startswith("converged")


def test_the_boundary_is_of_perimeter_and_eccentricity(walk: Walk) -> None:
    columns = [6, 3]
    expected = walk.reference(LAMBDA, columns).score(walk.X_valid[:, columns], walk.y_valid)
    assert walk["boundary_accuracy"] == pytest.approx(expected)


def test_the_contributions_add_up(walk: Walk) -> None:
    model = walk.reference(LAMBDA)
    x = walk.X_valid[[walk["grain"]]]
    assert walk["contributions"] == pytest.approx(model.coef_[0] * x[0], abs=1e-6)
    assert walk["grain_logit"] == pytest.approx(model.decision_function(x)[0], abs=1e-6)
    assert walk["grain_probability"] == pytest.approx(model.predict_proba(x)[0, 1], abs=1e-6)


def test_nearly_one_probability_has_two_explanations(walk: Walk) -> None:
    """As the text claims: the sums are close, the parts are not."""
    unfinished, finished = np.array(walk["unfinished"]), np.array(walk["finished"])
    assert abs(unfinished.sum() - finished.sum()) < 0.5
    assert np.abs(unfinished - finished).max() > 2


def test_it_leaves_nothing_behind() -> None:
    before = everything_there()
    execute("training", read="source", environment=OFFLINE)
    assert everything_there() == before

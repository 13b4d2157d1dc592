from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlcore.classifier import Classifier
from mlcore.estimators import Softmax
from tests.mlcore.classifiers import (
    CLASSES,
    MIXED,
    Squared,
    classifier,
    logistic,
    softmax,
    some_rows,
    stump,
)


def test_three_classes_work() -> None:
    made = classifier(columns=MIXED, estimator=softmax(5))
    report = made.score(some_rows(MIXED, 20))
    assert report.scores.shape == report.probabilities.shape == (20, 3)
    assert report.contributions.shape == (20, 3, 3)
    assert report.predictions.tolist() == report.probabilities.argmax(axis=1).tolist()
    assert report.labels == tuple(CLASSES[k] for k in report.predictions)
    assert report.confidence.tolist() == report.probabilities.max(axis=1).tolist()
    assert len(set(report.labels)) == 3
    total = made.estimator.base + report.contributions.sum(axis=2)
    assert total == pytest.approx(report.scores, abs=1e-9)


def test_the_first_of_equally_probable_classes_wins() -> None:
    equal = classifier(Softmax(np.zeros((3, 3)), np.array([0.0, 1.0, 1.0])))
    assert equal.score(some_rows(equal.schema.columns, 2)).labels == ("Kecimen", "Kecimen")


def test_three_classes_have_no_positive_one() -> None:
    report = classifier().score(some_rows(classifier().schema.columns, 2))
    with pytest.raises(ValueError, match="no positive class"):
        _ = report.positive


def test_trees_score_in_probability() -> None:
    made = classifier(stump())
    report = made.score(some_rows(made.schema.columns, 9))
    assert sorted(set(report.positive.round(4).tolist())) == [0.2222, 0.8333]
    assert report.scores[:, 0].tolist() == report.positive.tolist()
    assert not report.contributions[:, 0, [0, 2]].any()


@pytest.mark.parametrize(
    "made",
    [
        classifier(logistic(3)),
        classifier(logistic(3), calibration=Squared()),
        classifier(softmax(3)),
        classifier(stump()),
        classifier(stump(3)),
        classifier(logistic(5), columns=MIXED),
        classifier(softmax(5), columns=MIXED),
        classifier(stump(3, 5), columns=MIXED),
    ],
)
@pytest.mark.parametrize("n", [1, 7, 300])
def test_what_is_decided_alone_is_what_is_explained_to_the_last_bit(
    made: Classifier, n: int
) -> None:
    columns = made.schema.read(some_rows(made.schema.columns, n, seed=n))
    decided, report = made.decide_columns(columns), made.score_columns(columns)
    assert decided.predictions.shape == (n,)
    for name in ("scores", "probabilities", "predictions"):
        ours, theirs = getattr(decided, name), getattr(report, name)
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        assert ours.tobytes() == theirs.tobytes()


def test_calibration_changes_probability_and_decision_but_not_the_explanation() -> None:
    plain = classifier(logistic(3), threshold=0.4)
    made = replace(plain, calibration=Squared())
    rows = some_rows(made.schema.columns, 40)
    before, after = plain.score(rows), made.score(rows)
    assert after.positive.tolist() == (before.positive**2).tolist()
    assert after.probabilities.sum(axis=1) == pytest.approx(np.ones(40), abs=1e-15)
    assert after.predictions.tolist() == (after.positive >= 0.4).astype(int).tolist()
    assert after.predictions.sum() < before.predictions.sum()
    assert after.scores.tobytes() == before.scores.tobytes()
    assert after.contributions.tobytes() == before.contributions.tobytes()


@pytest.mark.parametrize(
    ("made", "changes", "match"),
    [
        (classifier(), {"classes": CLASSES[:2]}, "2 classes, 3 estimated"),
        (classifier(), {"estimator": softmax(4)}, "3 slots, 4 expected"),
        (classifier(), {"threshold": 0.5}, "a threshold belongs to two classes"),
        (classifier(logistic(3)), {"threshold": None}, "a threshold belongs to two classes"),
        (classifier(), {"calibration": Squared()}, "calibration is for two classes"),
    ],
)
def test_it_refuses_parts_that_do_not_belong_together(
    made: Classifier, changes: dict[str, Any], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        replace(made, **changes)

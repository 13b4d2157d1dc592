"""From an estimator to a classifier: calibration and threshold from unseen rows, then the profile.

It knows no solver: whoever fitted the estimator says what it thinks of rows it has not seen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

from mlcore.arrays import FloatArray
from mlcore.calibration import Calibration, Platt, calibrated, fit_isotonic, fit_platt
from mlcore.classifier import Classifier
from mlcore.encoding import Encoder
from mlcore.errors import DataError
from mlcore.estimate import reference_performance
from mlcore.estimators import Estimator
from mlcore.preparation import Part, Prepared
from mlcore.profile import build_profile
from mlcore.thresholds import ThresholdSpec, best_threshold

CalibrationMethod = Literal["none", "platt", "isotonic"]


class Decision(NamedTuple):
    """How the probabilities of two classes are corrected and cut; neither with three or more."""

    calibration: Calibration | None = None
    threshold: float | None = None


def learn_decision(
    y: FloatArray, unseen: FloatArray, *, calibration: CalibrationMethod, threshold: ThresholdSpec
) -> Decision:
    """Fit the calibration, then tune the threshold on what it makes of the same probabilities.

    ``unseen`` (n,) is P(positive) of each training row by an estimator that did not learn from
    it: an estimator is too sure of its own rows. DataError as ``best_threshold``, and for a Platt
    calibration that falls: it would call the likely rows unlikely.

    >>> import numpy as np
    >>> y, p = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.1, 0.3, 0.4, 0.8])
    >>> found = learn_decision(y, p, calibration="isotonic", threshold=ThresholdSpec("f1"))
    >>> found.calibration.values, found.threshold
    ((0.0, 0.5, 0.5, 1.0), 0.25)
    """
    if calibration == "none":
        return Decision(None, best_threshold(y, unseen, objective=threshold))
    fit = fit_platt if calibration == "platt" else fit_isotonic
    found = fit(y, unseen)
    if isinstance(found, Platt) and found.slope <= 0:
        raise DataError(
            "calibration by platt would turn the ranking over: on unseen training rows the model "
            "ranks no better than chance; train without it, or on more rows"
        )
    return Decision(found, best_threshold(y, found.apply(unseen), objective=threshold))


def assemble(
    data: Prepared,
    encoder: Encoder,
    estimator: Estimator,
    decision: Decision,
    *,
    converged: bool,
) -> Classifier:
    """The classifier of these parts; its profile has the training rows and what the others said."""
    columns = data.train.columns
    probabilities = estimator.probabilities(estimator.scores(encoder.transform(columns)))
    profile = build_profile(
        data.schema,
        columns,
        probabilities=calibrated(probabilities, decision.calibration),
        threshold=decision.threshold,
        labels=data.train.y,
    )
    classifier = Classifier(
        target=data.target,
        classes=data.classes,
        schema=data.schema,
        encoder=encoder,
        estimator=estimator,
        threshold=decision.threshold,
        profile=profile,
        converged=converged,
        calibration=decision.calibration,
    )
    return with_performance(classifier, data.validation)


def with_performance(classifier: Classifier, unseen: Part) -> Classifier:
    """The classifier whose profile keeps its performance on labelled rows it has not learnt from."""
    found = reference_performance(
        unseen.y, classifier.probabilities(unseen.columns), classifier.threshold
    )
    return replace(classifier, profile=replace(classifier.profile, performance=found))

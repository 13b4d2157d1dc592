"""The plain facts of a classifier, for people and scripts that will not load it; touches no files.

The form follows "Model Cards for Model Reporting" (Mitchell et al. 2019) as far as a program can
know the answers: it states what was measured and what is known to limit it, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mlcore.bundle import Provenance
from mlcore.classifier import Classifier
from mlcore.profile import ColumnProfile
from mlcore.schema import Column

FAMILIES = {
    "logistic": "logistic regression",
    "softmax": "multinomial logistic regression",
    "decision_tree": "decision tree",
    "random_forest": "random forest",
    "extra_trees": "extremely randomised trees",
}
FEW_ROWS = 1000


def model_card(classifier: Classifier, provenance: Provenance) -> dict[str, Any]:
    """What the classifier answers, from which columns, how it was trained and what limits it.

    Everything in it can be written as JSON; ``metrics`` are those of the provenance.

    >>> from mlcore import TrainingSpec, synthetic_raisin, train
    >>> result = train(TrainingSpec(target="Class"), synthetic_raisin())
    >>> model_card(result.classifier, result.provenance)["decision"]
    '"Besni" if its probability is at least 0.5, else "Kecimen"'
    """
    family = classifier.estimator.family
    pairs = zip(classifier.schema.columns, classifier.profile.columns, strict=True)
    return {
        "target": classifier.target,
        "classes": list(classifier.classes),
        "decision": _decision(classifier),
        "threshold": classifier.threshold,
        "family": family,
        "model": FAMILIES[family],
        "calibration": classifier.calibration and classifier.calibration.to_dict(),
        "explanation": _explanation(classifier),
        "columns": [_column(column, profile) for column, profile in pairs],
        "rows": dict(provenance.rows),
        "metrics": {part: dict(metrics) for part, metrics in provenance.metrics.items()},
        "training": {
            "spec": dict(provenance.spec),
            "solver": dict(provenance.solver),
            "converged": classifier.converged,
            "dataset_sha256": provenance.dataset_sha256,
            "versions": dict(provenance.versions),
        },
        "synthetic": provenance.synthetic,
        "limits": list(_limits(classifier, provenance)),
    }


def model_card_json(classifier: Classifier, provenance: Provenance) -> str:
    """The card as indented JSON, ASCII, with a last newline; the same facts, the same bytes."""
    return json.dumps(model_card(classifier, provenance), indent=2, allow_nan=False) + "\n"


def _decision(classifier: Classifier) -> str:
    if classifier.threshold is None:
        return "the class with the largest probability; of equals the first"
    negative, positive = classifier.classes
    kind = "probability" if classifier.calibration is None else "calibrated probability"
    return f'"{positive}" if its {kind} is at least {classifier.threshold:g}, else "{negative}"'


def _explanation(classifier: Classifier) -> str:
    if classifier.estimator.unit == "log_odds":
        return (
            "each column's contribution in log-odds, measured from the average training row; "
            "contributions and base add up to the score"
        )
    return (
        "path contributions: what each column changed the share of the class by on the way "
        "through the trees; they are not Shapley values"
    )


def _column(column: Column, profile: ColumnProfile) -> dict[str, Any]:
    facts: dict[str, Any] = {"name": column.name, "kind": column.kind}
    if column.kind == "number":
        facts |= {"mean": profile.mean, "smallest": profile.minimum, "largest": profile.maximum}
    else:
        facts["levels"] = dict(profile.counts)
    return facts | {"missing_in_training": profile.missing, "fill": column.fill}


def _limits(classifier: Classifier, provenance: Provenance) -> Iterator[str]:
    if provenance.synthetic:
        yield "It was trained on synthetic rows and says nothing of real ones."
    if not classifier.converged:
        yield "The solver had not converged: weights and explanations are provisional."
    judged = provenance.rows.get("validation", 0)
    if judged < FEW_ROWS:
        yield (
            f"Its metrics rest on {judged} validation rows: "
            "differences of a few percentage points may be chance."
        )
    if classifier.calibration is None:
        yield "Its probabilities were not calibrated after training."
    yield "Outside the ranges and levels of the training rows its answers are guesses."
    yield "Contributions say what the model used, not what causes the class."

"""The real data: as good as the literature says, neither worse nor suspiciously better."""

from __future__ import annotations

from benchmarks.quality import cross_validate
from mlcore import Table, TrainingSpec, train


def test_cross_validation_is_as_good_as_published(raisin_table: Table) -> None:
    scores = cross_validate(raisin_table)
    assert 0.855 <= scores.accuracy <= 0.880
    assert scores.auc >= 0.92


def test_one_default_training_holds_up(raisin_table: Table) -> None:
    result = train(TrainingSpec(target="Class"), raisin_table)
    assert result.report.converged
    assert result.report.iterations <= 6
    assert result.classifier.classes == ("Kecimen", "Besni")
    assert 0.83 <= result.validation.accuracy <= 0.91
    assert result.validation.roc_auc is not None
    assert result.validation.roc_auc >= 0.9

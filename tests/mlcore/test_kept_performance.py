"""What a holdout said travels with the model, so that estimates need no labels and no rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlcore import ArtifactError, Profile, Table, TrainingResult, TrainingSpec, load, save, train
from mlcore.bundle_checks import check_classifier
from mlcore.classifier import Classifier
from mlcore.estimate import reference_performance
from mlcore.performance import ReferencePerformance
from tests.mlcore.classifiers import classifier, logistic, softmax


def kept(classifier: Classifier) -> ReferencePerformance:
    found = classifier.profile.performance
    assert found is not None
    return found


def with_kept(classifier: Classifier, performance: ReferencePerformance) -> Classifier:
    return replace(classifier, profile=replace(classifier.profile, performance=performance))


def test_a_training_keeps_what_the_holdout_said(trained: TrainingResult) -> None:
    found, report = kept(trained.classifier), trained.validation
    assert (found.n, found.threshold) == (trained.n_validation, trained.classifier.threshold)
    for name, measured in found.metrics.items():
        assert measured == pytest.approx(getattr(report, name), abs=1e-12), name


def test_three_classes_keep_their_accuracy(trained_mixed: TrainingResult) -> None:
    kinds = ("a", "b", "c")
    table = trained_mixed.holdout
    rows = tuple((*row[:-1], kinds[number % 3]) for number, row in enumerate(table.rows))
    result = train(TrainingSpec(target="Class"), replace(table, rows=rows))
    assert kept(result.classifier).metrics == {"accuracy": result.validation.accuracy}


def test_what_an_estimate_says_of_the_holdout_is_near_what_its_labels_said(
    raisin_table: Table,
) -> None:
    found = kept(train(TrainingSpec(target="Class"), raisin_table).classifier)
    for name, expected in found.expected.items():
        error = found.errors[name].standard_error(found.n)
        assert expected == pytest.approx(found.metrics[name], abs=3 * error), name
    assert len(json.dumps(found.to_dict())) < 2000


def test_it_is_in_the_bundle(trained: TrainingResult, tmp_path: Path) -> None:
    save(trained, tmp_path / "model")
    assert kept(load(tmp_path / "model")) == kept(trained.classifier)


def test_a_profile_without_a_holdout_says_nothing_of_it() -> None:
    profile = classifier(logistic(3)).profile
    assert profile.performance is None
    assert "performance" not in profile.to_dict()
    assert Profile.from_dict(profile.to_dict()).performance is None


def test_a_performance_of_another_number_of_classes_is_refused() -> None:
    y, P = np.array([0.0, 1.0, 2.0]), np.eye(3)
    two, three = reference_performance(y[:2], P[:2, 0], 0.5), reference_performance(y, P, None)
    check_classifier(with_kept(classifier(logistic(3)), two))
    check_classifier(with_kept(classifier(softmax(3)), three))
    for made, other in ((classifier(logistic(3)), three), (classifier(softmax(3)), two)):
        with pytest.raises(ArtifactError, match="does not fit the classes"):
            check_classifier(with_kept(made, other))


def test_a_performance_beside_a_profile_of_the_older_form_is_refused() -> None:
    made = with_kept(classifier(logistic(3)), reference_performance([0, 1], [0.2, 0.9], 0.5))
    scores = replace(made.profile.scores, deciles=None)
    older = replace(made, profile=replace(made.profile, scores=scores))
    with pytest.raises(ArtifactError, match="does not fit"):
        check_classifier(older)


@pytest.mark.parametrize("held_out", [True, False])
def test_an_imported_model_keeps_it_where_there_is_a_holdout(
    raisin_table: Table, tmp_path: Path, held_out: bool
) -> None:
    from sklearn.linear_model import LogisticRegression

    from mlcore import bundle_from_sklearn

    learnt = raisin_table.select(range(0, 900, 2), name="learnt")
    unseen = raisin_table.select(range(1, 900, 2), name="unseen")
    matrix = np.array([[float(cell) for cell in row[:-1]] for row in learnt.rows])
    model = LogisticRegression(max_iter=10_000).fit(matrix, [row[-1] for row in learnt.rows])
    bundle_from_sklearn(
        model,
        learnt,
        tmp_path / "model.zip",
        target="Class",
        validation=unseen if held_out else None,
    )
    found = load(tmp_path / "model.zip").profile.performance
    assert (None if found is None else found.n) == (450 if held_out else None)

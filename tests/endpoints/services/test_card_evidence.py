"""What the holdout rows of a version say: slices, other thresholds, production."""

from __future__ import annotations

from time import process_time

import pytest

from endpoints.models import AlgorithmVersion, Endpoint
from endpoints.services import artifacts, card_evidence, holdouts
from endpoints.services.card_evidence import Evidence, RivalReport
from mlcore import Classifier
from tests import cast, pace
from tests.endpoints import grains


@pytest.fixture
def staged(raisin: Endpoint) -> AlgorithmVersion:
    return raisin.versions.get(number=2)


def of(version: AlgorithmVersion) -> tuple[Evidence, Classifier]:
    classifier = artifacts.load(version)
    evidence = card_evidence.of(version, classifier)
    assert isinstance(evidence, Evidence), evidence
    return evidence, classifier


def test_it_works(staged: AlgorithmVersion) -> None:
    evidence, classifier = of(staged)
    recorded = dict(staged.run.metrics.summary().values_list("key", "value"))
    assert evidence.whole.n == 180
    assert evidence.whole.accuracy == recorded["validation_accuracy"]
    assert evidence.report.log_loss == pytest.approx(recorded["validation_log_loss"], abs=1e-12)
    classes, *columns = evidence.groups
    assert [part.name for part in classes.slices] == list(classifier.classes)
    assert len(columns) == card_evidence.MOST_COLUMNS
    assert all(sum(part.n for part in group.slices) == 180 for group in evidence.groups)


def test_the_columns_that_move_the_answers_most_are_cut(staged: AlgorithmVersion) -> None:
    evidence, _ = of(staged)
    ranked = [name for name, _ in evidence.importance]
    assert [group.column for group in evidence.groups[1:]] == ranked[:4]
    assert [size for _, size in evidence.importance] == sorted(
        (size for _, size in evidence.importance), reverse=True
    )


def test_it_is_fast_enough_for_a_page(staged: AlgorithmVersion) -> None:
    of(staged)
    began = process_time()
    of(staged)
    assert process_time() - began < pace.seconds(0.5)  # about 20 ms


def test_every_level_of_a_category_is_a_slice(db: None) -> None:
    version = grains.version(cast.an_endpoint("grains"), status="testing")
    evidence, classifier = of(version)
    categories = [c.name for c in classifier.schema.columns if c.kind == "category"]
    for group in evidence.groups[1 : 1 + len(categories)]:
        assert group.column in categories
    assert evidence.whole.positive is None


def test_cuts_surround_the_threshold_in_use(staged: AlgorithmVersion) -> None:
    evidence, _ = of(staged)
    found = card_evidence.cuts(evidence, 0.5)
    assert [cut.threshold for cut in found] == [0.3, 0.4, 0.5, 0.6, 0.7]
    used = next(cut for cut in found if cut.is_in_use)
    assert (used.precision, used.recall) == (evidence.report.precision, evidence.report.recall)
    called = [cut.called for cut in found]
    assert called == sorted(called, reverse=True)


def test_cuts_stay_between_0_and_1(staged: AlgorithmVersion) -> None:
    evidence, _ = of(staged)
    assert [cut.threshold for cut in card_evidence.cuts(evidence, 0.05)] == [0.05, 0.15, 0.25]
    at_the_end = card_evidence.cuts(evidence, 1.0)
    assert [cut.threshold for cut in at_the_end] == [0.8, 0.9, 1.0]
    assert at_the_end[-1].precision is None


def test_sureness_leaves_doubtful_rows_out(db: None) -> None:
    evidence, _ = of(grains.version(cast.an_endpoint("grains"), status="testing"))
    found = card_evidence.sureness(evidence)
    assert (found[0].answered, found[0].accuracy) == (1.0, evidence.whole.accuracy)
    shares = [row.answered for row in found]
    assert shares == sorted(shares, reverse=True)
    for row in found:
        assert (row.accuracy is None) == (row.n == 0)


def test_two_versions_are_compared_decision_by_decision(raisin: Endpoint) -> None:
    staged, live = raisin.versions.get(number=2), raisin.versions.get(number=1)
    evidence, classifier = of(staged)
    found = card_evidence.against(evidence, classifier, live)
    assert isinstance(found, RivalReport)
    assert found.ours - found.theirs == found.only_ours - found.only_theirs
    assert found.changed == found.only_ours + found.only_theirs > 0
    assert (found.label, found.n) == ("v1", 180)


def test_a_version_decides_as_itself(staged: AlgorithmVersion) -> None:
    evidence, classifier = of(staged)
    found = card_evidence.against(evidence, classifier, staged)
    assert isinstance(found, RivalReport)
    assert found.changed == 0


def test_it_says_why_a_rival_cannot_be_judged(raisin: Endpoint) -> None:
    staged, live = raisin.versions.get(number=2), raisin.versions.get(number=1)
    evidence, classifier = of(staged)
    other = grains.version(cast.an_endpoint("grains"), status="testing")
    said = card_evidence.against(evidence, classifier, other)
    assert isinstance(said, str)
    (artifacts.folder(live) / "model.json").unlink()
    said = card_evidence.against(evidence, classifier, live)
    assert isinstance(said, str)
    assert said.startswith("v1 cannot be judged on these rows")


def test_it_says_that_there_are_no_rows(staged: AlgorithmVersion) -> None:
    artifacts.holdout_file(staged.run).unlink()
    said = card_evidence.of(staged, artifacts.load(staged))
    assert said == "No holdout rows of this version are kept here."


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a,b\n1,2\n", b"Area,Class\nx,y\n"])
def test_it_says_that_the_rows_cannot_be_read(content: bytes, staged: AlgorithmVersion) -> None:
    artifacts.holdout_file(staged.run).write_bytes(content)
    said = card_evidence.of(staged, artifacts.load(staged))
    assert isinstance(said, str)
    assert said.startswith("The holdout rows cannot be read")


def test_of_a_large_file_every_few_rows_are_read(
    staged: AlgorithmVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = artifacts.holdout_file(staged.run).stat().st_size
    monkeypatch.setattr(holdouts, "MOST_BYTES", size // 3 + 1)
    evidence, _ = of(staged)
    assert (evidence.step, evidence.whole.n) == (3, 60)
    assert evidence.table.lines[:3] == (2, 5, 8)

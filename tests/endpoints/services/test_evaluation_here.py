"""A version judged on rows of ours: the numbers are kept once, with who asked and on what."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from endpoints.errors import InvalidData, NotAllowed
from endpoints.models import AlgorithmVersion, Endpoint, Evaluation, Event
from endpoints.services import artifacts, evaluating
from endpoints.services.access import Caller
from endpoints.services.registration import register_upload
from mlcore import datasets
from mlcore.evaluation import evaluate
from mlcore.table import canonical_csv
from tests import cast
from tests.endpoints.services import handed_over

pytestmark = pytest.mark.django_db


def uploaded(endpoint: Endpoint) -> AlgorithmVersion:
    return register_upload(
        content=handed_over.bundle(), endpoint=endpoint, actor=cast.SYSTEM, now=cast.THEN
    )


def on_csv(version: AlgorithmVersion, content: bytes, **facts: Any) -> Evaluation:
    asked = {"name": "rows.csv", "actor": cast.SYSTEM, "now": cast.THEN} | facts
    return evaluating.evaluate_on_csv(version=version, content=content, **asked)


def some_rows() -> bytes:
    table = cast.raisin_rows()
    return canonical_csv(table.header, table.rows[::9])


def test_it_works(raisin: Endpoint, dana: User) -> None:
    version = uploaded(raisin)
    table = datasets.read_csv(artifacts.holdout_file(raisin.versions.get(number=1).run))
    Evaluation.objects.all().delete()
    found = evaluating.evaluate_here(
        version=version, table=table, actor=Caller(user=dana), now=cast.THEN
    )
    assert found.metrics == evaluate(artifacts.load(version), table).as_dict()
    assert (found.dataset_rows, found.actor_name) == (180, "dana")
    event = Event.objects.get(verb="evaluate", actor=dana)
    assert (event.endpoint, event.subject, event.after["rows"]) == (raisin, "v3", 180)


def test_an_upload_is_judged_on_the_rows_of_production_at_once(raisin: Endpoint) -> None:
    version = uploaded(raisin)
    found = version.evaluations.get()
    assert (found.dataset_name, found.dataset_rows) == ("holdout rows of v1", 180)
    assert 0.5 < found.metrics["accuracy"] <= 1.0


def test_without_rows_that_fit_it_stays_a_claim(raisin: Endpoint) -> None:
    alone = uploaded(cast.an_endpoint("alone"))
    assert not alone.evaluations.exists()
    other = register_upload(
        content=handed_over.three_classes(), endpoint=raisin, actor=cast.SYSTEM, now=cast.THEN
    )
    assert not other.evaluations.exists()
    with pytest.raises(InvalidData, match="no other version in production"):
        evaluating.evaluate_on_holdout(version=alone, actor=cast.SYSTEM, now=cast.THEN)
    with pytest.raises(InvalidData, match="holdout rows of v1 cannot judge v3: line "):
        evaluating.evaluate_on_holdout(version=other, actor=cast.SYSTEM, now=cast.THEN)


def test_a_lost_or_broken_holdout_is_said(raisin: Endpoint) -> None:
    version = uploaded(raisin)
    file = artifacts.holdout_file(raisin.versions.get(number=1).run)
    content = file.read_bytes()
    file.write_bytes(b"\xff")
    try:
        with pytest.raises(InvalidData, match="holdout rows of v1 cannot be read"):
            evaluating.evaluate_on_holdout(version=version, actor=cast.SYSTEM, now=cast.THEN)
        file.unlink()
        assert evaluating.holdout_of(version) is None
    finally:
        file.write_bytes(content)


def test_the_same_rows_are_judged_once(raisin: Endpoint) -> None:
    version = uploaded(raisin)
    first, again = on_csv(version, some_rows()), on_csv(version, some_rows(), name="copy.csv")
    assert first == again
    assert (first.dataset_name, first.dataset_rows) == ("rows.csv", 100)
    assert version.evaluations.count() == 2


def test_of_two_at_once_the_first_is_kept(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = uploaded(raisin)
    faster = []

    def overtaken(*judged: Any) -> Any:
        monkeypatch.undo()
        faster.append(on_csv(version, some_rows()))
        return evaluate(*judged)

    monkeypatch.setattr(evaluating, "evaluate", overtaken)
    assert on_csv(version, some_rows()) == faster[0]
    assert version.evaluations.count() == 2


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "rows.csv cannot be read: rows.csv is empty"),
        (b"\xff\xfe", "rows.csv cannot be read: line 1"),
        (b"Area,Class\n1,Besni\n", "rows.csv cannot judge v3: there is no column"),
        (some_rows() + b"1,2,3,4,5,6,7,Sultana\n", "line 102, column Class"),
        (b"x" * (4 * 2**20 + 1), "the most here"),
    ],
)
def test_it_refuses_rows_that_do_not_fit(raisin: Endpoint, content: bytes, match: str) -> None:
    version = uploaded(raisin)
    with pytest.raises(InvalidData, match=match):
        on_csv(version, content)
    assert version.evaluations.count() == 1


def test_it_needs_the_permission_to_register(raisin: Endpoint, alex: User) -> None:
    with pytest.raises(NotAllowed, match="register_version"):
        on_csv(uploaded(raisin), some_rows(), actor=Caller(user=alex))


def test_a_file_cannot_pass_for_the_holdout_rows(raisin: Endpoint) -> None:
    found = on_csv(uploaded(raisin), some_rows(), name="Holdout rows of v1")
    assert found.dataset_name == "file “Holdout rows of v1”"

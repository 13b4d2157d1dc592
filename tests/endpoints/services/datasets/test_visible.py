"""Who sees which datasets."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User

from endpoints.errors import NotAllowed, NotFound
from endpoints.models import Dataset, Endpoint, Run
from endpoints.services.access import Caller
from endpoints.services.datasets import archiving, visible
from tests import cast
from tests.endpoints.services.datasets.files import stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return stored(tmp_path)


def test_readers_of_runs_see_all(dataset: Dataset, eve: User) -> None:
    assert list(visible.datasets(Caller(user=eve))) == [dataset]


def test_an_archived_one_is_found_but_not_listed(dataset: Dataset, eve: User) -> None:
    archiving.archive(dataset, actor=cast.SYSTEM, now=cast.THEN)
    assert list(visible.datasets(Caller(user=eve))) == []
    assert visible.dataset(Caller(user=eve), dataset.pk) == dataset


def test_it_is_found_by_its_checksum(dataset: Dataset, eve: User) -> None:
    assert visible.dataset(Caller(user=eve), dataset.sha256.upper()) == dataset


def test_a_key_of_one_endpoint_sees_what_its_runs_were_trained_on(
    dataset: Dataset, tmp_path: Path, raisin: Endpoint, dev: User
) -> None:
    stored(tmp_path, "a,b\n1,2\n", "another.csv")
    Run.objects.filter(versions__endpoint=raisin).update(dataset=dataset)
    key, _ = cast.new_key(dev, endpoint=raisin)
    assert list(visible.datasets(Caller(key=key))) == [dataset]


@pytest.mark.parametrize(
    ("facts", "general"),
    [
        (
            {"warning": "1 cell is no usable number: a training refuses that.", "odd": "Ada"},
            "1 cell is no usable number: a training refuses that.",
        ),
        (
            {"warning": "1 cell is no usable number, such as “Ada”: a training refuses that."},
            "1 cell is no usable number.",
        ),
        ({"warning": "It numbers the rows."}, "It numbers the rows."),
    ],
    ids=["now", "of before", "of no cell"],
)
def test_a_warning_quotes_a_cell_only_to_who_may_see_rows(
    dataset: Dataset, facts: dict[str, str], general: str, dana: User, eve: User
) -> None:
    dataset.columns = [{"name": "x", "kind": "number", "examples": [], **facts}]
    [to_dana] = visible.columns(Caller(user=dana), dataset)
    [to_eve] = visible.columns(Caller(user=eve), dataset)
    assert ("Ada" in to_dana["warning"]) is ("Ada" in str(facts))
    assert to_eve["warning"] == general
    assert "odd" not in to_dana.keys() | to_eve.keys()


def test_a_problem_quotes_a_cell_only_to_who_may_see_rows(
    dataset: Dataset, dana: User, eve: User
) -> None:
    dataset.problems = [{"row": 2, "column": "x", "value": "Ada", "message": "a NUL byte"}]
    [to_dana] = visible.problems(Caller(user=dana), dataset)
    [to_eve] = visible.problems(Caller(user=eve), dataset)
    assert (to_dana["value"], to_eve["value"]) == ("Ada", None)
    assert to_eve["row"] == 2


@pytest.mark.parametrize(
    ("said", "general"),
    [
        (
            "line 2, column x: expected a number, got 'Ada' (and 2 more problems)",
            "line 2, column x: expected a number (and 2 more problems)",
        ),
        ("expected a number, got \"Ada's, got 'it'\"", "expected a number"),
        ("expected a number, got 'Ada…", "expected a number"),
        (
            'column "x" holds numbers with commas, such as 1,5; write a decimal point',
            'column "x" holds numbers with commas; write a decimal point',
        ),
        (
            "51 different values, such as Ada: b: it reads like",
            "51 different values: it reads like",
        ),
        ("expected 2 cells, got 3", "expected 2 cells, got 3"),
    ],
)
def test_a_message_quotes_a_cell_only_to_who_may_see_rows(
    dataset: Dataset, said: str, general: str, dana: User, eve: User
) -> None:
    run = Run(dataset=dataset)
    for found in (dataset, run):
        found.message = said
        found.problems = [{"row": 2, "column": "x", "value": "Ada", "message": said}]
        assert visible.message(Caller(user=dana), found) == said
        assert visible.message(Caller(user=eve), found) == general
        [to_eve] = visible.problems(Caller(user=eve), found)
        assert (to_eve["value"], to_eve["message"]) == (None, general)


def test_a_rare_level_is_shown_to_who_may_see_rows(dataset: Dataset, dana: User, eve: User) -> None:
    levels = [["red", 40], ["blue", 5], ["Ada", 4]]
    dataset.columns = [{"name": "x", "kind": "category", "levels": levels}]
    [to_dana] = visible.columns(Caller(user=dana), dataset)
    [to_eve] = visible.columns(Caller(user=eve), dataset)
    assert (to_dana["levels"], to_eve["levels"]) == (levels, levels[:2])


def test_what_does_not_exist_is_not_found(dataset: Dataset, eve: User) -> None:
    with pytest.raises(NotFound, match="There is no dataset “0123”"):
        visible.dataset(Caller(user=eve), "0123")


def test_it_refuses_who_reads_no_runs(dataset: Dataset, db: None) -> None:
    outsider = cast.person("oscar", ())
    with pytest.raises(NotAllowed):
        visible.datasets(Caller(user=outsider))

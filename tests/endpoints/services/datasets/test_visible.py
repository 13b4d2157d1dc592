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


def test_what_does_not_exist_is_not_found(dataset: Dataset, eve: User) -> None:
    with pytest.raises(NotFound, match="There is no dataset “0123”"):
        visible.dataset(Caller(user=eve), "0123")


def test_it_refuses_who_reads_no_runs(dataset: Dataset, db: None) -> None:
    outsider = cast.person("oscar", ())
    with pytest.raises(NotAllowed):
        visible.datasets(Caller(user=outsider))

"""Waiting for a job while a request lasts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from endpoints.api import waiting
from endpoints.errors import InvalidRequest
from endpoints.models import Dataset
from tests.endpoints.services.datasets.files import stored

OVER = ("ready", "failed")


def asked(text: str) -> float:
    return waiting.seconds_of(Request(APIRequestFactory().get("/", {"wait": text})))


@pytest.fixture
def dataset(tmp_path: Path, db: None) -> Dataset:
    return stored(tmp_path)


def ends_after(pauses: int, slept: list[float]) -> Callable[[float], None]:
    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == pauses:
            Dataset.objects.update(state="ready", rows=4)

    return sleep


def test_it_works(dataset: Dataset) -> None:
    slept: list[float] = []
    assert waiting.until(dataset, OVER, seconds=5, sleep=ends_after(3, slept))
    assert (len(slept), dataset.rows) == (3, 4)


def test_it_waits_no_longer_than_it_may(dataset: Dataset) -> None:
    slept: list[float] = []
    assert not waiting.until(dataset, OVER, seconds=2, sleep=ends_after(100, slept))
    assert sum(slept) == pytest.approx(2)


def test_it_need_not_wait(dataset: Dataset) -> None:
    slept: list[float] = []
    assert not waiting.until(dataset, OVER, seconds=0, sleep=ends_after(1, slept))
    assert slept == []


def test_a_fifth_one_does_not_wait(dataset: Dataset) -> None:
    inner: list[float] = []

    def nested(depth: int) -> Callable[[float], None]:
        def sleep(seconds: float) -> None:
            inner.append(depth)
            if inner.count(depth) == 1:
                waiting.until(dataset, OVER, seconds=0.2, sleep=nested(depth + 1))

        return sleep

    waiting.until(dataset, OVER, seconds=0.2, sleep=nested(1))
    assert max(inner) == waiting.MOST_WAITERS
    assert waiting._seats.acquire(blocking=False)
    waiting._seats.release()


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), ("2.5", 2.5), ("10", 10.0)])
def test_seconds_are_read(text: str, seconds: float) -> None:
    assert asked(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "11", "10.1", "inf", "nan", "soon", "١"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="wait is a number of seconds from 0 to 10, not"):
        asked(text)

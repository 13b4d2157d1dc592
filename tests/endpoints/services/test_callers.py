"""Who a program is: asked of the database once a second, and of nobody who keeps the key's text."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoAssertNumQueries

from endpoints.errors import InvalidKey
from endpoints.services import callers, keys
from endpoints.services.callers import NOBODY, REMEMBERED
from tests import cast


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "_known", callers._Known())


def test_it_works(dev: User) -> None:
    key, text = cast.new_key(dev)
    for scheme in ("Bearer", "bearer", "Api-Key"):
        assert callers.by_header(f"{scheme} {text}", cast.THEN).key == key
    assert callers.by_header("", cast.THEN) is NOBODY


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer rsn_x", "Bearer ü", "x" * 9_999])
def test_it_refuses_what_is_no_key(db: None, header: str) -> None:
    with pytest.raises(InvalidKey):
        callers.by_header(header, cast.THEN)


def test_it_asks_once_a_second(
    dev: User, settings: Any, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.RAISIN_REFRESH_SECONDS = 60.0
    key, text = cast.new_key(dev)
    first = callers.by_header(f"Bearer {text}", cast.THEN)
    keys.revoke(key, actor=cast.SYSTEM, now=cast.THEN)
    with django_assert_num_queries(0):
        assert callers.by_header(f"Bearer {text}", cast.THEN) is first


def test_a_revoked_key_ends_when_the_second_is_over(dev: User, settings: Any) -> None:
    settings.RAISIN_REFRESH_SECONDS = 0.0
    key, text = cast.new_key(dev)
    callers.by_header(f"Bearer {text}", cast.THEN)
    keys.revoke(key, actor=cast.SYSTEM, now=cast.THEN)
    with pytest.raises(InvalidKey):
        callers.by_header(f"Bearer {text}", cast.THEN)


def test_a_wrong_secret_is_not_remembered_as_right(dev: User, settings: Any) -> None:
    settings.RAISIN_REFRESH_SECONDS = 60.0
    _, text = cast.new_key(dev)
    callers.by_header(f"Bearer {text}", cast.THEN)
    with pytest.raises(InvalidKey):
        callers.by_header(f"Bearer {text[:-1]}{'A' if text[-1] != 'A' else 'B'}", cast.THEN)


def test_it_remembers_no_text_and_not_for_ever(dev: User, settings: Any) -> None:
    settings.RAISIN_REFRESH_SECONDS = 60.0
    _, text = cast.new_key(dev)
    callers.by_header(f"Bearer {text}", cast.THEN)
    kept = callers._known._callers
    assert text.encode() not in b"".join(kept)
    assert len(kept) <= REMEMBERED

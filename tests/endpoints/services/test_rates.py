"""How often a caller may ask: a token bucket for each."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from endpoints.errors import TooManyRequests
from endpoints.models import ApiKey, Endpoint
from endpoints.services import rates
from endpoints.services.access import Caller
from endpoints.services.rates import BURST_SECONDS, MOST_BUCKETS, Buckets
from tests import cast
from tests.endpoints.services.clock import Clock


def test_it_works() -> None:
    clock = Clock()
    buckets = Buckets(clock)
    burst = int(5 * BURST_SECONDS)
    assert [buckets.take("a", 5.0) for _ in range(burst)] == [0.0] * burst
    assert buckets.take("a", 5.0) == pytest.approx(0.2)
    clock.now += 0.2
    assert buckets.take("a", 5.0) == 0.0
    assert buckets.take("a", 5.0) > 0


def test_a_refused_request_costs_no_token() -> None:
    clock = Clock()
    buckets = Buckets(clock)
    while not buckets.take("a", 1.0):
        pass
    waits = {buckets.take("a", 1.0) for _ in range(5)}
    assert waits == {1.0}


def test_callers_do_not_share() -> None:
    buckets = Buckets(Clock())
    while not buckets.take("a", 0.1):
        pass
    assert buckets.take("b", 0.1) == 0.0


def test_a_slow_rate_still_allows_one() -> None:
    assert Buckets(Clock()).take("a", 0.1) == 0.0


def test_it_forgets_the_least_recently_used() -> None:
    buckets = Buckets(Clock())
    for number in range(MOST_BUCKETS + 10):
        buckets.take(number, 0.1)
    assert buckets.take(0, 0.1) == 0.0
    assert buckets.take(MOST_BUCKETS + 9, 0.1) > 0


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "_buckets", Buckets(Clock()))


def asked_until_refused(caller: Caller, endpoint: Endpoint) -> int:
    for count in range(1_000):
        try:
            rates.check(caller, endpoint)
        except TooManyRequests as refusal:
            assert refusal.retry_after
            return count
    return 1_000


@pytest.mark.usefixtures("fresh")
def test_a_key_has_the_rate_of_its_own_else_that_of_the_site(
    dev: User, raisin: Endpoint, settings: Any
) -> None:
    settings.RAISIN_KEY_RATE = 3.0
    usual, _ = cast.new_key(dev)
    slow, _ = cast.new_key(dev)
    ApiKey.objects.filter(pk=slow.pk).update(rate=1.0)
    slow.refresh_from_db()
    assert asked_until_refused(Caller(key=usual), raisin) == 6
    assert asked_until_refused(Caller(key=slow), raisin) == 2


@pytest.mark.usefixtures("fresh")
def test_all_without_a_key_share_one_rate_at_an_endpoint(raisin: Endpoint, settings: Any) -> None:
    settings.RAISIN_PUBLIC_RATE = 2.0
    other = cast.an_endpoint("other")
    assert asked_until_refused(Caller(), raisin) == 4
    assert asked_until_refused(Caller(), raisin) == 0
    assert asked_until_refused(Caller(), other) == 4


@pytest.mark.usefixtures("fresh")
def test_people_and_commands_have_none(dev: User, raisin: Endpoint, settings: Any) -> None:
    settings.RAISIN_PUBLIC_RATE = settings.RAISIN_KEY_RATE = 0.5
    for caller in (Caller(user=dev), cast.SYSTEM):
        assert asked_until_refused(caller, raisin) == 1_000


@pytest.mark.usefixtures("fresh")
def test_without_a_setting_nobody_has(dev: User, raisin: Endpoint) -> None:
    for caller in (Caller(), Caller(key=cast.new_key(dev)[0])):
        assert asked_until_refused(caller, raisin) == 1_000

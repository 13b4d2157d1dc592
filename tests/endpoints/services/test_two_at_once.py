"""Two people promote at the same moment: one wins, the other is told; on both databases."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from endpoints.errors import DomainError
from endpoints.models import AlgorithmVersion, Endpoint, Status
from endpoints.services import lifecycle
from endpoints.services.access import Caller
from tests.endpoints.services.decisions import NOON, decision


@pytest.mark.django_db(transaction=True)
def test_one_wins_and_the_other_is_told(raisin: Endpoint) -> None:
    run = raisin.versions.get(number=2).run
    third = lifecycle.register(run=run, endpoint=raisin, actor=Caller(system="dana"), now=NOON)
    lifecycle.stage(version=third, decision=decision())
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def promote(number: int) -> None:
        version = AlgorithmVersion.objects.select_related("endpoint").get(number=number)
        barrier.wait()
        try:
            lifecycle.promote(version=version, decision=decision(by=f"person {number}", seen=1))
            outcomes.append("won")
        except DomainError as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=promote, args=(number,)) for number in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict", "won"]
    assert raisin.versions.filter(status=Status.PRODUCTION).count() == 1
    assert raisin.versions.get(number=1).status == Status.ARCHIVED

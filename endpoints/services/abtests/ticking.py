"""What time alone does to tests: requests become old enough to count, plans end, and
bandits choose their shares anew. It knows no schedule."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from endpoints.models import ABTest
from endpoints.services.abtests import maturing, steering, stopping


def due() -> QuerySet[ABTest]:
    """Return the tests that run, and those that wait for their last requests to become old enough."""
    return (ABTest.objects.running() | maturing.waiting()).select_related("endpoint").order_by("pk")


def tick(test: ABTest, now: datetime) -> None:
    """Count what is old enough, end the test if its plan says so, else let a bandit choose its shares."""
    maturing.mature(test, now)
    stopping.auto(test, now)
    steering.steer(test, now)

"""What time alone does to tests: requests become old enough to count, and plans end. It knows no schedule."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from endpoints.models import ABTest
from endpoints.services.abtests import maturing, stopping


def due() -> QuerySet[ABTest]:
    """Return the tests that run, and those that wait for their last requests to become old enough."""
    return (ABTest.objects.running() | maturing.waiting()).select_related("endpoint").order_by("pk")


def tick(test: ABTest, now: datetime) -> None:
    """Count what is old enough, then end the test if its plan says so."""
    maturing.mature(test, now)
    stopping.auto(test, now)

"""How a test stands: draft, running or stopped, in words, and read again under a lock; it changes nothing."""

from __future__ import annotations

from django.utils import timezone

from endpoints.errors import Conflict, InvalidTransition, NotFound
from endpoints.models import ABTest, Endpoint
from endpoints.models.abtest import TestState


def running_at(endpoint: Endpoint) -> ABTest | None:
    return ABTest.objects.running().filter(endpoint=endpoint).first()


def reread(test: ABTest) -> ABTest:
    """Return the test as it is kept, with its versions. Raises NotFound if it is deleted by now."""
    versions = ("endpoint", "control__endpoint", "challenger__endpoint")
    found = ABTest.objects.select_related(*versions).filter(pk=test.pk).first()
    if found is None:
        raise NotFound(f"There is no A/B test {test.pk}.")
    return found


def locked(test: ABTest) -> ABTest:
    """Return the same, which nobody else changes until the transaction ends.

    Who needs the endpoint's row too takes that first.
    """
    ABTest.objects.select_for_update(no_key=True).filter(pk=test.pk).first()
    return reread(test)


def require_draft(test: ABTest) -> None:
    """Raise Conflict for a test that runs, InvalidTransition for one that was stopped."""
    if test.state == TestState.RUNNING:
        raise Conflict(f"{since(test)}; its plan is fixed.")
    _refuse_stopped(test)


def require_running(test: ABTest) -> None:
    if test.state == TestState.DRAFT:
        raise InvalidTransition(f"“{test.title}” has not been started.")
    _refuse_stopped(test)


def since(test: ABTest) -> str:
    """Say who started a test and when."""
    return (
        f"“{test.title}” has been running since {_moment(test.started_at)} ({test.started_by_name})"
    )


def _refuse_stopped(test: ABTest) -> None:
    if test.state == TestState.STOPPED:
        at = _moment(test.stopped_at)
        raise Conflict(f"“{test.title}” was stopped at {at} ({test.stopped_by_name}).")


def _moment(at: object) -> str:
    return f"{timezone.localtime(at):%H:%M:%S on %d %B %Y}"  # type: ignore[arg-type]

"""What waits for somebody: endpoints that do not answer as they should, alerts, tests, requests, failed work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from dashboard.presenters import abtest_words, alerts, failures
from dashboard.presenters.alerts import AlertRow
from dashboard.presenters.failures import Failure
from endpoints.models import ABTest, AlgorithmVersion, Endpoint, PromotionRequest
from endpoints.services import access
from endpoints.services.abtests import analysis
from endpoints.services.access import Caller, Need
from endpoints.services.alerts import handling
from endpoints.services.snapshots import Served, snapshots

SHOWN = 5
MOST_TESTS = 20
"""Running tests that are looked at, the oldest first: each takes some queries."""
PAUSED = "callers get the error 503 until somebody who may promote its versions resumes it."


@dataclass(frozen=True)
class Trouble:
    """What is wrong with an endpoint, in a sentence or two."""

    endpoint: Endpoint
    sentence: str


@dataclass(frozen=True)
class DecidableTest:
    """A running test that somebody should stop, with the title of its banner."""

    test: ABTest
    title: str


@dataclass(frozen=True)
class Attention:
    """What to show, the worst first and then the oldest, and whether there is more than this."""

    troubles: list[Trouble]
    has_more_troubles: bool
    alerts: list[AlertRow]
    has_more_alerts: bool
    tests: list[DecidableTest]
    requests: list[PromotionRequest]
    has_more: bool
    failures: list[Failure]
    has_more_failures: bool

    def __bool__(self) -> bool:
        return any((self.troubles, self.alerts, self.tests, self.requests, self.failures))


def needed(caller: Caller, *, now: datetime) -> Attention:
    """Return what waits for this person, at any endpoint and of what they started."""
    troubles, requests = _troubles(caller), _requests(caller)
    firing = list(handling.needing_attention(caller)[: SHOWN + 1])
    failed = failures.recent(caller, now=now, most=SHOWN + 1)
    return Attention(
        alerts=alerts.rows(firing[:SHOWN], now=now),
        has_more_alerts=len(firing) > SHOWN,
        tests=_tests(caller, now)[:SHOWN],
        troubles=troubles[:SHOWN],
        has_more_troubles=len(troubles) > SHOWN,
        requests=requests[:SHOWN],
        has_more=len(requests) > SHOWN,
        failures=failed[:SHOWN],
        has_more_failures=len(failed) > SHOWN,
    )


def model_problem(found: Served) -> str:
    """Say why an endpoint's version in production does not answer, and what does; "" if it does."""
    if not found.problem:
        return ""
    problem = found.problem.rstrip(".")
    if found.classifier is None or found.production is None:
        return f"{problem}. Callers get the error 503."
    if found.endpoint.versions.in_production().filter(pk=found.production.pk).exists():
        return f"{problem}. What was loaded before goes on answering until the next restart."
    return f"{problem}. {found.production.label} answers in its place."


def open_requests(versions: Iterable[AlgorithmVersion]) -> list[PromotionRequest]:
    """Return the requests without an answer, whoever may give it; the versions know `is_requested`."""
    asked = [version for version in versions if getattr(version, "is_requested", False)]
    if not asked:
        return []
    found = PromotionRequest.objects.waiting().filter(version__in=asked)
    return list(found.select_related("version").order_by("at", "id")[:SHOWN])


def _troubles(caller: Caller) -> list[Trouble]:
    served = snapshots.all()
    broken = [found for found in served.values() if found.problem]
    paused = [found for found in served.values() if found.endpoint.paused_at and not found.problem]
    if not broken and not paused:
        return []
    slugs = [found.endpoint.slug for found in (*broken, *paused)]
    visible = access.visible_endpoints(caller).filter(slug__in=slugs)
    known = set(visible.values_list("slug", flat=True))
    told = [Trouble(found.endpoint, model_problem(found)) for found in broken]
    told += [Trouble(found.endpoint, f"It is paused: {PAUSED}") for found in paused]
    return [trouble for trouble in told if trouble.endpoint.slug in known]


def _tests(caller: Caller, now: datetime) -> list[DecidableTest]:
    """Return the running tests that are decided, over, broken or not to be trusted."""
    running = ABTest.objects.running().filter(endpoint__in=access.visible_endpoints(caller))
    tests = running.select_related("endpoint", "control", "challenger").order_by("started_at", "pk")
    reports = [analysis.analyse(test, now) for test in tests[:MOST_TESTS]]
    return [
        DecidableTest(report.test, abtest_words.banner(report).title)
        for report in reports
        if report.banner not in ("keep_running", "not_started")
    ]


def _requests(caller: Caller) -> list[PromotionRequest]:
    """Return one more than is shown."""
    if not caller.may(Need.PROMOTE):
        return []
    theirs = access.endpoints_where(caller, Need.PROMOTE)
    found = PromotionRequest.objects.waiting().filter(version__endpoint__in=theirs)
    return list(found.select_related("version__endpoint").order_by("at", "id")[: SHOWN + 1])

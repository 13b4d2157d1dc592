"""A page asks the database as often for 300 rows as for 10, and at most fifteen times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from endpoints.models import (
    ABTest,
    AlgorithmVersion,
    DriftReport,
    Endpoint,
    Event,
    FeatureDrift,
    Metric,
    Run,
    StatusChange,
)
from endpoints.services.snapshots import snapshots
from tests import cast
from tests.dashboard import stored
from tests.dashboard.conftest import Browse, Site

MOST = 15
# On the review page each gate asks for what it judges; that of live inputs from 200 rows on.
REVIEW = "/endpoints/raisin/versions/2/review/?to=production"
# The drift page holds the log, its windows, their trend and the labels side by side.
DRIFT = "/endpoints/raisin/drift/"
# That of a version lists its tests beside its decisions, requests and predictions.
VERSION = "/endpoints/raisin/versions/1/"
MORE, ENOUGH_ROWS = {REVIEW: 20, DRIFT: 23, VERSION: 16}, {REVIEW: 210}


def more_endpoints(site: Site, places: range) -> None:
    added = Endpoint.objects.bulk_create(
        Endpoint(slug=f"e{place:03}", name=f"Endpoint {place}") for place in places
    )
    AlgorithmVersion.objects.bulk_create(
        a_version(endpoint, 1, site.live_run, status="production") for endpoint in added
    )


def a_version(
    endpoint: Endpoint, number: int, run: Run, status: str = "testing"
) -> AlgorithmVersion:
    return AlgorithmVersion(
        endpoint=endpoint,
        number=number,
        status=status,
        run=run,
        artifact_path=run.artifact_path,
        artifact_sha256=run.artifact_sha256,
        threshold=0.5,
        converged=True,
    )


def more_versions(site: Site, places: range) -> None:
    now = timezone.now()
    added = AlgorithmVersion.objects.bulk_create(
        a_version(site.endpoint, place + 10, site.live_run) for place in places
    )
    StatusChange.objects.bulk_create(
        StatusChange(version=version, verb="register", to_status="testing", actor_name="x", at=now)
        for version in added
    )
    Event.objects.bulk_create(
        Event(at=now, verb="register", actor_name="x", endpoint=site.endpoint, subject="v")
        for _ in added
    )


def more_predictions(site: Site, places: range) -> None:
    now = timezone.now()
    cast.copies(site.prediction, [now - timedelta(minutes=place) for place in places])


def more_runs(site: Site, places: range) -> None:
    run = site.live_run
    added = Run.objects.bulk_create(
        Run(
            id=f"{place:032x}",
            experiment=run.experiment,
            name="copy",
            state="finished",
            solver="gd",
            converged=False,
            iterations=3,
            dataset_name="d",
            dataset_sha256="0" * 64,
            dataset_rows=9,
            artifact_sha256="0" * 64,
            started_at=run.started_at,
        )
        for place in places
    )
    Metric.objects.bulk_create(
        Metric(run=copy, key="epoch_train_loss", step=step, value=0.5)
        for copy in added
        for step in (1, 2, 3)
    )


def more_datasets(site: Site, places: range) -> None:
    for place in places:
        stored.a_run(stored.a_dataset(f"{place}.csv"))


def more_reports(site: Site, places: range) -> None:
    """A window a day, each with a feature for each place so far."""
    version, now = site.endpoint.versions.get(number=1), timezone.now()
    for place in places[:10]:
        start = now - timedelta(days=place)
        report = DriftReport.objects.create(
            version=version, window="rows", start=start, end=start, n_rows=60, features=len(places),
            drifted=0, possible=0, verdict="no_drift", computed_at=now,
        )  # fmt: skip
        FeatureDrift.objects.bulk_create(
            FeatureDrift(
                report=report, position=column, name=f"c{column}", kind="number",
                verdict="no_drift", effect=0.1, results=[], bins={},
            )
            for column in range(len(places))
        )  # fmt: skip


def more_tests(site: Site, places: range) -> None:
    """Drafts, and tests that were stopped."""
    now = timezone.now()
    live, other = site.endpoint.versions.order_by("number")[:2]
    ABTest.objects.bulk_create(
        ABTest(
            endpoint=site.endpoint, title=f"t{place}", salt=f"{place}-{state}", challenger=other,
            control=live, horizon=100, state=state, started_at=now, stopped_at=now,
            conclusion="a_wins", created_by_name="dana",
        )
        for place in places
        for state in ("draft", "stopped")
    )  # fmt: skip


LISTS: dict[str, Callable[[Site, range], None]] = {
    "/": more_endpoints,
    "/endpoints/raisin/": more_predictions,
    "/endpoints/raisin/?period=30d": more_versions,
    "/endpoints/raisin/versions/?archived": more_versions,
    VERSION: more_versions,
    "/endpoints/raisin/versions/1/card/": more_versions,
    "/endpoints/raisin/versions/1/summary/": more_versions,
    REVIEW: more_predictions,
    "/endpoints/raisin/tests/": more_tests,
    "/endpoints/raisin/predictions/": more_predictions,
    DRIFT: more_reports,
    "/runs/": more_runs,
    "/datasets/": more_datasets,
    "/account/": more_endpoints,
}


@pytest.fixture
def remembering(settings: Settings) -> Iterator[None]:
    """What answers is asked once a second in all, not once a page."""
    settings.RAISIN_REFRESH_SECONDS = 60.0
    yield
    snapshots.expire()


@pytest.mark.usefixtures("remembering")
@pytest.mark.parametrize("address", LISTS)
def test_it_asks_as_often_for_many_as_for_few(
    address: str, site: Site, alex: User, browse: Browse
) -> None:
    client = browse(alex)
    counts = []
    few = ENOUGH_ROWS.get(address, 10)
    for places in (range(few), range(few, 300)):
        LISTS[address](site, places)
        snapshots.expire()
        snapshots.all()
        with CaptureQueriesContext(connection) as asked:
            assert client.get(address).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1] <= MORE.get(address, MOST), [query["sql"][:90] for query in asked]

"""No page reads the whole log: each question about it has an index to answer it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import cast
from tests.dashboard.conftest import Browse, Site

LOG = "endpoints_predictionrequest"
LIST = "/endpoints/raisin/predictions/"
PAGES = (
    "/",
    "/endpoints/raisin/",
    "/endpoints/raisin/?period=30d",
    "/endpoints/raisin/versions/1/",
    "/endpoints/raisin/versions/2/review/?to=production",
    "/endpoints/raisin/versions/1/card/",
    LIST,
    f"{LIST}?version=1",
    f"{LIST}?labelled=true",
    f"{LIST}?labelled=false&version=1",
    f"{LIST}?source=try&protocol=native&probability_min=0.5",
    f"{LIST}?since=2026-01-01T00:00&until=2030-01-01T00:00",
    f"{LIST}?older={{id}}",
    f"{LIST}?newer={{id}}&source=demo",
    f"{LIST}download/?labelled=true",
    f"{LIST}{{id}}/",
    "/admin/endpoints/predictionrequest/",
    "/admin/endpoints/predictionrequest/?endpoint__id__exact={endpoint}",
    "/admin/endpoints/predictionrequest/?version__id__exact={version}",
    "/admin/endpoints/feedback/",
    "/admin/endpoints/endpoint/",
    "/api/v1/mlrequests",
    "/api/v1/mlrequests/{id}",
    "/api/v1/endpoints/raisin/versions/1/lineage",
)


pytestmark = pytest.mark.skipif(
    connection.vendor != "sqlite", reason="PostgreSQL reads small tables whole"
)


def plan(sql: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        return [str(step[3]) for step in cursor.fetchall()]


def reads_everything(sql: str) -> bool:
    """Walking along an index is fine where a limit ends it; a sort has to see all first."""
    steps = plan(sql)
    walks = [step for step in steps if step.startswith(f"SCAN {LOG}")]
    return bool(walks) and not (
        all("USING" in walk for walk in walks)
        and " LIMIT " in sql
        and not any("TEMP B-TREE" in step for step in steps)
    )


@pytest.mark.parametrize("address", PAGES)
def test_it_works(address: str, site: Site, admin_user: User, browse: Browse) -> None:
    one = site.prediction
    cast.copies(one, [one.created_at] * 60)  # more than a page
    place = {"id": one.pk, "endpoint": one.endpoint_id, "version": one.version_id}
    client = browse(admin_user)
    with CaptureQueriesContext(connection) as asked:
        response = client.get(address.format(**place))
        assert response.status_code == 200
        b"".join(response)
    of_log = [query["sql"] for query in asked if LOG in query["sql"]]
    assert [sql for sql in of_log if reads_everything(sql)] == []


def test_a_count_of_the_log_would_be_found(site: Site) -> None:
    assert reads_everything(f"SELECT COUNT(*) FROM {LOG} WHERE source = 'api'")

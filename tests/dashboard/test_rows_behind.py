"""Every number of the drift page leads to the rows that it was computed from: as many as it says."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard.presenters import keyset
from dashboard.presenters.drift_rows import Row
from endpoints.models import DriftReport, Endpoint, Monitor, PredictionRequest
from endpoints.services import feedback
from endpoints.services.access import Caller
from endpoints.services.monitoring.tick import tick
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, read, text_of
from tests.endpoints.protocols import berries
from tests.endpoints.services.monitoring import traffic

PAGE = "/endpoints/berries/drift/"
LIST = "/endpoints/berries/predictions/"
LARGE, SMALL, NONE, PINK = 11, 7, 13, 5
"""Rows whose area is too large, too small and missing, and rows of a colour that nobody knows."""


def some_rows() -> list[dict[str, Any]]:
    """Eighty rows of all kinds, mixed."""
    rows = [berries.ROW | {"Area": 60_000 + 500.0 * place} for place in range(44)]
    rows += [berries.ROW | {"Area": 9e6}] * LARGE + [berries.ROW | {"Area": 1.0}] * SMALL
    rows += [berries.ROW | {"Area": None}] * NONE + [berries.ROW | {"colour": "dark"}] * PINK
    random.Random(3).shuffle(rows)
    return rows


@pytest.fixture
def watched(db: None) -> Endpoint:
    """Eighty rows in requests of one row and of many, and some that were tried by hand."""
    endpoint = berries.endpoint()
    Monitor.objects.create(endpoint=endpoint, window_rows=80)
    rows = some_rows()
    requests = [rows[:30], *([row] for row in rows[30:60]), rows[60:]]
    moments = traffic.every(traffic.SECOND, 32, since=timezone.now() - timedelta(minutes=10))
    traffic.log(endpoint, requests, moments)
    traffic.log(endpoint, [[berries.ROW | {"Area": None}]], moments[1:2], source="try")
    make_pink()
    tick(endpoint, timezone.now)
    return endpoint


def make_pink() -> None:
    """Give the dark rows a colour that the schema would have refused."""
    for request in PredictionRequest.objects.all():
        inputs = [
            [area, colour.replace("dark", "pink"), perimeter]
            for area, colour, perimeter in request.inputs
        ]
        PredictionRequest.objects.filter(pk=request.pk).update(inputs=inputs)


def rows_behind(client: Client, query: str) -> int:
    """Count the rows on all pages that a link leads to."""
    found, onward = 0, f"?{query}"
    while onward:
        response = client.get(LIST + onward)
        assert response.context["filter"].is_valid(), response.context["filter"].errors
        page = response.context["page"]
        looks_inside = response.context["filter"].matcher is not None
        found += page.matching_rows if looks_inside else sum(r.row_count for r in page.rows)
        onward = f"?{page.older}" if page.older else ""
    return found


def features(client: Client, **query: str) -> dict[str, Row]:
    drift = client.get(PAGE, query).context["drift"]
    return {row.name: row for row in (*drift.features, *drift.outputs)}


def test_it_works(watched: Endpoint, ana: User, browse: Browse) -> None:
    client = browse(ana)
    area = features(client)["Area"]
    assert (area.column.missing, area.column.out_of_range) == (NONE, LARGE + SMALL)
    assert rows_behind(client, area.missing_query) == NONE
    assert rows_behind(client, area.beyond_query) == LARGE + SMALL
    assert rows_behind(client, area.with_value_query) == area.with_value == 80 - NONE


def test_levels_that_nobody_knew(watched: Endpoint, ana: User, browse: Browse) -> None:
    client = browse(ana)
    colour = features(client)["colour"]
    assert colour.column.unseen == colour.beyond == PINK
    assert rows_behind(client, colour.beyond_query) == PINK
    assert colour.missing_query == ""


@pytest.mark.parametrize("name", ["Area", "Perimeter", "colour", "Probability", "Predicted class"])
def test_every_bin_leads_to_its_rows(
    watched: Endpoint, ana: User, browse: Browse, name: str
) -> None:
    client = browse(ana)
    row = features(client)[name]
    n = row.with_value
    assert sum(found.live for found in row.bins) == pytest.approx(1.0)
    for found in row.bins:
        assert bool(found.query) == bool(found.live)
        if found.query:
            assert rows_behind(client, found.query) == pytest.approx(n * found.live), found


def test_every_measure_leads_to_rows(watched: Endpoint, ana: User, browse: Browse) -> None:
    client = browse(ana)
    found = features(client)
    counts = {
        m.found["name"]: rows_behind(client, m.query) for m in found["Area"].measures if m.query
    }
    assert counts["missing"] == NONE
    assert counts["out_of_range"] == LARGE + SMALL
    assert counts["wasserstein"] == counts["ks"] == 80 - NONE
    assert counts["psi"] == 80
    assert {rows_behind(client, m.query) for m in found["Probability"].measures} == {80}


@pytest.mark.parametrize("window", ["rows", "hour", "day", "week"])
def test_the_whole_window(watched: Endpoint, eve: User, browse: Browse, window: str) -> None:
    """What people tried by hand is no part of it, nor what came since it was looked at."""
    client = browse(eve)
    since = timezone.now() - timedelta(minutes=1)
    traffic.log(watched, [[berries.ROW]], [since])
    drift = client.get(PAGE, {"window": window}).context["drift"]
    assert rows_behind(client, drift.query) == drift.report.n_rows


def test_labels_lead_to_the_requests_that_have_one(
    watched: Endpoint, eve: User, browse: Browse
) -> None:
    client, now = browse(eve), timezone.now()
    one_row = PredictionRequest.objects.filter(row_count=1).exclude(source="try")
    for request in one_row[:4]:
        feedback.record(
            request=request, label=request.label, row=0, actor=Caller(system="t"), now=now
        )
    told = client.get(PAGE, {"window": "day"}).context["performance"]
    newest = told.table[0]
    assert rows_behind(client, newest.labelled_query) == newest.labels == told.labels == 4
    assert rows_behind(client, told.labelled_query) == 4
    assert rows_behind(client, told.query) == told.rows
    assert rows_behind(client, newest.query) == newest.rows


def test_the_links_stand_on_the_page(watched: Endpoint, ana: User, browse: Browse) -> None:
    client = browse(ana)
    response = client.get(PAGE)
    rows = features(client)
    links = [link.partition("?")[2] for link in read(response).links]
    assert_clean(response)
    assert set(links) >= {rows["Area"].missing_query, rows["Area"].beyond_query}
    assert set(links) >= {found.query for found in rows["Probability"].bins if found.query}
    assert links.count(response.context["drift"].query) > 3


def test_who_may_not_see_inputs_finds_no_row_by_them(
    watched: Endpoint, eve: User, ana: User, browse: Browse
) -> None:
    area = features(browse(eve))["Area"]
    assert (area.missing_query, area.beyond_query, area.bins[0].query) == ("", "", "")
    assert rows_behind(browse(eve), area.with_value_query) == 80
    allowed = features(browse(ana))["Area"]
    response = browse(eve).get(f"{LIST}?{allowed.missing_query}")
    assert "Whoever may not see inputs cannot look for them." in text_of(response)
    assert response.context["filter"].matcher is None
    choices = [value for value, _ in response.context["cells"]]
    assert choices == ["score", "predicted"]


class TestTheFilteredLog:
    """What the predictions page makes of such a filter."""

    def query(self, **more: str) -> str:
        return urlencode({"version": "1", "source": "live", **more})

    def test_it_shows_itself_and_can_be_taken_off(
        self, watched: Endpoint, ana: User, browse: Browse
    ) -> None:
        query = self.query(feature="Area", cells="between", above="60000", up_to="65000")
        response = browse(ana).get(f"{LIST}?{query}")
        page = response.content.decode()
        assert '<option value="between" selected>' in page
        for name, value in (("feature", "Area"), ("above", "60000"), ("up_to", "65000")):
            assert f'name="{name}"' in page
            assert f'value="{value}"' in page
        assert "Clear filters" in text_of(response)
        assert_clean(response)

    @pytest.mark.parametrize(
        ("sent", "kind", "text"),
        [
            ("2026-11-02T10:00:00+02:00", "datetime-local", "2026-11-02T08:00:00.000"),
            ("2026-11-02T10:00", "datetime-local", "2026-11-02T10:00:00.000"),
            ("2026-11-02T10:00:00.123456Z", "text", "2026-11-02T10:00:00.123456"),
            ("yesterday", "text", "yesterday"),
            ("", "datetime-local", ""),
        ],
    )
    def test_a_moment_survives_being_sent_again(
        self, watched: Endpoint, ana: User, browse: Browse, sent: str, kind: str, text: str
    ) -> None:
        response = browse(ana).get(LIST, {"since": sent})
        field = response.context["since"]
        assert (field.kind, field.text) == (kind, text)
        assert f'name="since" type="{kind}"' in response.content.decode()
        assert f' value="{text}"' in response.content.decode()
        again = browse(ana).get(LIST, {"since": text})
        before, after = (r.context["filter"].form.cleaned_data for r in (response, again))
        assert before.get("since") == after.get("since")

    def test_it_says_how_many_rows_of_a_request_match(
        self, watched: Endpoint, ana: User, browse: Browse
    ) -> None:
        response = browse(ana).get(f"{LIST}?{self.query(feature='Area', cells='missing')}")
        by_size = {row.request.row_count: row for row in response.context["rows"]}
        large = by_size[30]
        assert f"{len(large.matching)} of 30 rows" in text_of(response)
        assert f"{NONE} rows of {len(response.context['rows'])} requests" in text_of(response)
        first = f"{LIST}{large.request.pk}/?row={large.matching[0]}"
        assert first in read(response).links or large.matching[0] == 0

    def test_pages_follow_one_another(
        self, watched: Endpoint, ana: User, browse: Browse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        query = self.query(feature="Area", cells="outside")
        whole = browse(ana).get(f"{LIST}?{query}").context["rows"]
        monkeypatch.setattr(keyset, "PAGE_SIZE", 3)
        first = browse(ana).get(f"{LIST}?{query}")
        assert [row.request for row in first.context["rows"]] == [row.request for row in whole[:3]]
        second = browse(ana).get(f"{LIST}?{first.context['page'].older}")
        assert [row.request for row in second.context["rows"]] == [
            row.request for row in whole[3:6]
        ]
        back = browse(ana).get(f"{LIST}?{second.context['page'].newer}")
        assert [row.request for row in back.context["rows"]] == [row.request for row in whole[:3]]
        assert rows_behind(browse(ana), query) == LARGE + SMALL

    def test_it_looks_at_so_many_rows_a_page_and_says_so(
        self, watched: Endpoint, ana: User, browse: Browse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(keyset, "ROWS_LOOKED_THROUGH", 25)
        query = self.query(feature="Area", cells="outside")
        response = browse(ana).get(f"{LIST}?{query}")
        # The newest request has 20 rows, and five of one row come before it.
        assert "Looked through 6 requests, back to" in text_of(response)
        assert rows_behind(browse(ana), query) == LARGE + SMALL
        monkeypatch.setattr(keyset, "LOOKED_THROUGH", 4)
        assert "Looked through 4 requests" in text_of(browse(ana).get(f"{LIST}?{query}"))
        assert rows_behind(browse(ana), query) == LARGE + SMALL

    def test_the_histogram_is_of_those_rows(
        self, watched: Endpoint, ana: User, browse: Browse
    ) -> None:
        response = browse(ana).get(f"{LIST}?{self.query(feature='Area', cells='outside')}")
        assert sum(response.context["sample"].histogram) == LARGE + SMALL

    def test_the_download_has_those_rows_alone(
        self, watched: Endpoint, ana: User, browse: Browse
    ) -> None:
        query = self.query(feature="Area", cells="outside")
        response = browse(ana).get(f"{LIST}download/?{query}")
        lines = b"".join(response.streaming_content).decode().splitlines()
        assert len(lines) == 1 + LARGE + SMALL

    @pytest.mark.parametrize(
        ("asked", "says"),
        [
            ({"feature": "Aera", "cells": "missing"}, "There is no feature “Aera”; did you mean"),
            ({"cells": "missing"}, "Name the feature to look at."),
            ({"feature": "Area"}, "Choose which rows to look for."),
            ({"feature": "Area", "cells": "unseen"}, "“Area” has numbers, no levels."),
            ({"feature": "colour", "cells": "outside"}, "“colour” has levels, no numbers."),
            ({"feature": "Area", "cells": "odd"}, "Select a valid choice"),
            ({"feature": "Area", "cells": "between", "above": "x"}, "Enter a number"),
            ({"feature": "colour", "cells": "level"}, "Name the level or class"),
            ({"cells": "predicted", "level": "Sultana"}, "There is no class “Sultana”"),
            ({"feature": "Area", "cells": "missing", "version": ""}, "Choose a version"),
        ],
    )
    def test_it_refuses(
        self, watched: Endpoint, ana: User, browse: Browse, asked: dict[str, str], says: str
    ) -> None:
        response = browse(ana).get(f"{LIST}?{self.query(**asked)}")
        assert says in text_of(response)
        assert len(response.context["rows"]) >= 32
        assert_clean(response)

    def test_a_version_that_is_not_there_has_no_rows(
        self, watched: Endpoint, ana: User, browse: Browse
    ) -> None:
        query = urlencode({"version": "9", "feature": "Area", "cells": "missing"})
        assert browse(ana).get(f"{LIST}?{query}").context["rows"] == []


def test_a_bin_of_one_value_alone_is_found(watched: Endpoint, ana: User, browse: Browse) -> None:
    """The bins of a report end at edges: what is on one belongs to the bin below."""
    report = DriftReport.objects.get(window="rows")
    column = report.columns.get(name="Area")
    column.bins = {
        "edges": [60_000.0, 60_000.0, 60_500.0],
        "reference": [0.25] * 4,
        "live": [0.25] * 4,
    }
    column.save()
    client = browse(ana)
    counts = [rows_behind(client, found.query) for found in features(client)["Area"].bins]
    assert counts == [SMALL, 1, 1, 80 - NONE - SMALL - 2]

"""The log of predictions: filters, pages by place, and the download."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from dashboard.presenters import keyset, sample
from endpoints import downloads
from endpoints.models import Endpoint, PredictionRequest
from tests import cast
from tests.dashboard.conftest import Browse, Site
from tests.dashboard.pages import assert_clean, read, text_of
from tests.endpoints.services.abtests import trial

LIST = "/endpoints/raisin/predictions/"
DOWNLOAD = "/endpoints/raisin/predictions/download/"


def log(endpoint: Endpoint, count: int) -> list[str]:
    """Log so many requests, one a minute, and return their ids, newest first."""
    moments = [cast.THEN + timedelta(minutes=minute) for minute in range(count)]
    ids = [str(cast.prediction(endpoint, now=at).request_id) for at in moments]
    return ids[::-1]


def ids_on(response: HttpResponse) -> list[str]:
    ids = (re.fullmatch(f"{LIST}([0-9a-f-]{{36}})/", link) for link in read(response).links)
    return [found[1] for found in ids if found]


def rows_of(client: Client, query: str = "") -> list[dict[str, str]]:
    response = client.get(DOWNLOAD + query)
    text = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_it_works(site: Site, eve: User, browse: Browse) -> None:
    response = browse(eve).get(LIST)
    said = text_of(response)
    assert "2 rows" in said
    assert f"✓ {site.prediction.label}" in said
    assert_clean(response)


def test_pages_are_found_by_place_in_both_directions(
    raisin: Endpoint, eve: User, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyset, "PAGE_SIZE", 3)
    client, ids = browse(eve), log(raisin, 8)
    first = client.get(LIST)
    assert ids_on(first) == ids[:3]
    older = next(link for link in read(first).links if link.startswith("?older="))
    second = client.get(LIST + older)
    assert ids_on(second) == ids[3:6]
    cast.prediction(raisin, now=cast.THEN + timedelta(hours=1))
    newer = next(link for link in read(second).links if link.startswith("?newer="))
    assert ids_on(client.get(LIST + newer)) == ids[:3]
    older = next(link for link in read(second).links if link.startswith("?older="))
    last = client.get(LIST + older)
    assert ids_on(last) == ids[6:]


def test_requests_of_the_same_moment_are_not_lost(
    raisin: Endpoint, eve: User, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyset, "PAGE_SIZE", 2)
    everything = {str(cast.prediction(raisin).request_id) for _ in range(5)}
    client, seen, query = browse(eve), set(), ""
    for _ in range(3):
        response = client.get(LIST + query)
        seen |= set(ids_on(response))
        links = [link for link in read(response).links if link.startswith("?older=")]
        query = links[0] if links else ""
    assert seen == everything
    assert query == ""


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("?version=1", 2),
        ("?version=2", 0),
        ("?source=try", 0),
        ("?protocol=native", 2),
        ("?protocol=mlflow", 0),
        ("?labelled=true", 1),
        ("?labelled=false", 1),
        ("?probability_min=0&probability_max=1", 1),
        ("?since=2026-01-01T00:00", 2),
        ("?until=2026-01-01T00:00", 0),
        ("?request_id={id}", 1),
    ],
)
def test_filters(query: str, count: int, site: Site, eve: User, browse: Browse) -> None:
    response = browse(eve).get(LIST + query.format(id=site.prediction.pk))
    assert len(ids_on(response)) == count
    assert ("No predictions match" in text_of(response)) == (count == 0)


def test_it_refuses_a_damaged_place(site: Site, eve: User, browse: Browse) -> None:
    for query in ("?older=x", "?newer=2026-01-01T00:00:00_y", "?older=" + "0" * 31):
        response = browse(eve).get(LIST + query)
        assert response.status_code == 400
        assert "Start from the newest" in text_of(response)


def test_an_empty_log_shows_how_to_call(raisin: Endpoint, eve: User, browse: Browse) -> None:
    said = text_of(browse(eve).get(LIST))
    assert "No predictions yet" in said
    assert "How to call it" in said


def test_the_histogram_says_what_it_is_of(
    site: Site, eve: User, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "MOST_REQUESTS", 2)
    client = browse(eve)
    assert "Of the newest" not in text_of(client.get(LIST))
    cast.prediction(site.endpoint)
    response = client.get(LIST)
    assert "Of the newest 2 requests." in text_of(response)
    assert sum(response.context["sample"].histogram) == 3
    assert "requests that match." not in text_of(client.get(LIST + "?source=api&labelled=true"))


class TestWhatNoIndexFinds:
    """Requests are looked through, a bounded number a page."""

    @pytest.fixture
    def rare(self, raisin: Endpoint, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Of 20 requests the first, the 10th and the last come from the try page; newest first."""
        monkeypatch.setattr(keyset, "LOOKED_THROUGH", 8)
        one = PredictionRequest.objects.get(pk=cast.prediction(raisin, source="try").request_id)
        tried = [str(one.pk)]
        for hour, source in enumerate(("api", "try", "api", "try")):
            moments = [cast.THEN + timedelta(hours=hour, minutes=n) for n in range(1, 9)]
            ids = cast.copies(one, moments[: 1 if source == "try" else 8], source=source)
            tried += map(str, ids if source == "try" else [])
        return tried[::-1]

    def test_it_stops_and_goes_on(self, rare: list[str], eve: User, browse: Browse) -> None:
        client, query, seen = browse(eve), "?source=try", []
        for stops_at in ("11:02", "9:03"):
            response = client.get(LIST + query)
            seen += ids_on(response)
            said = f"Looked through 8 requests, back to 2 Nov 2026, {stops_at.zfill(5)}"
            assert said in text_of(response)
            assert_clean(response)
            links = read(response).links
            query = next(link for link in links if link.startswith("?source=try&older="))
        response = client.get(LIST + query)
        seen += ids_on(response)
        assert seen == rare
        assert "Looked through" not in text_of(response)

    def test_it_goes_on_ahead(self, rare: list[str], eve: User, browse: Browse) -> None:
        client, query, seen = browse(eve), f"?source=try&newer={rare[-1]}", []
        for _ in range(3):
            response = client.get(LIST + query)
            seen += ids_on(response)[::-1]
            links = [link for link in read(response).links if link.startswith("?source=try&newer=")]
            query = links[0] if links else ""
            if not query:
                break
            assert "up to" in text_of(response)
        assert seen == rare[-2::-1]

    def test_a_page_without_any_says_how_far_it_looked(
        self, rare: list[str], eve: User, browse: Browse
    ) -> None:
        response = browse(eve).get(LIST + "?source=demo")
        said = text_of(response)
        assert "No predictions match so far" in said
        assert "Look further back" in said
        assert_clean(response)

    def test_what_an_index_finds_is_not_looked_for(
        self, rare: list[str], eve: User, browse: Browse
    ) -> None:
        for query in ("", "?version=1", "?since=2026-11-02T00:00", f"?request_id={rare[-1]}"):
            assert "Looked through" not in text_of(browse(eve).get(LIST + query))


def test_the_download_has_a_line_a_row_and_the_inputs(
    site: Site, ana: User, browse: Browse
) -> None:
    rows = rows_of(browse(ana))
    assert len(rows) == 3
    assert [row["row"] for row in rows] == ["0", "1", "0"]
    assert rows[-1]["prediction_id"] == f"{site.prediction.pk}:0"
    assert rows[1]["prediction_id"] == f"{rows[1]['request_id']}:1"
    assert (rows[-1]["protocol"], rows[-1]["caller"]) == ("native", "tests")
    assert rows[-1]["true_label"] == site.prediction.label
    assert float(rows[-1]["Area"]) == cast.ROW["Area"]
    assert float(rows[-1]["probability"]) == site.prediction.probabilities[0]


def test_the_download_is_what_the_filter_shows(site: Site, ana: User, browse: Browse) -> None:
    assert len(rows_of(browse(ana), "?labelled=true")) == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("abtest=abc", "abtest"),
        ("unit=%00", "unit"),
        ("cells=nope", "cells"),
        ("version=1&cells=level", "level"),
        ("above=inf", "above"),
        ("version=1&since=soon", "since"),
    ],
)
def test_a_refused_filter_downloads_nothing(
    query: str, field: str, site: Site, ana: User, browse: Browse
) -> None:
    client = browse(ana)
    refused = client.get(f"{DOWNLOAD}?{query}")
    assert refused.status_code == 400
    assert f"{field}: " in text_of(refused)
    page = client.get(f"{LIST}?{query}")
    assert "This filter was left out" in text_of(page)
    assert not [link for link in read(page).links if link.startswith(DOWNLOAD)]
    sound = client.get(f"{LIST}?version=1")
    assert [link for link in read(sound).links if link.startswith(DOWNLOAD)]


def test_the_download_hides_inputs_from_who_may_not_see_them(
    site: Site, eve: User, browse: Browse
) -> None:
    rows = rows_of(browse(eve))
    assert len(rows) == 3
    assert "Area" not in rows[0]


def test_the_download_is_bounded(
    site: Site, eve: User, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "MOST_ROWS", 2)
    assert len(rows_of(browse(eve))) == 2


def test_the_columns_of_all_versions_are_there(site: Site, ana: User, browse: Browse) -> None:
    version = cast.registered_version(site.endpoint, columns=("Area", "Extent"))
    PredictionRequest.objects.filter(pk=site.prediction.pk).update(
        version=version, inputs=[[1.5, 0.5]]
    )
    by_id = {row["request_id"]: row for row in rows_of(browse(ana))}
    row = by_id[str(site.prediction.pk)]
    assert (row["Area"], row["Extent"], row["Perimeter"]) == ("1.5", "0.5", "")


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("-1.5", "-1.5"),
        ("+inf", "'+inf"),
        (-1.5, -1.5),
        ("plain", "plain"),
        (None, ""),
    ],
)
def test_no_cell_runs_in_a_spreadsheet(cell: object, written: object) -> None:
    assert downloads.safe(cell) == written


def test_the_download_tells_the_arm_and_the_unit(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    plain = cast.prediction(raisin, unit="user-1", version=1)
    test = trial.running_test(raisin, raisin.versions.get(number=2), kind="split")
    split = cast.prediction(raisin, unit="user-1")
    trial.stop(test)
    shadow = trial.running_test(raisin, raisin.versions.get(number=2), salt="other")
    both = cast.prediction(raisin, rows=[cast.ROW, cast.ROW])
    said = PredictionRequest.objects.get(pk=both.request_id).shadow
    lines = {line["prediction_id"]: line for line in rows_of(browse(eve))}
    names = ("unit_id", "abtest", "arm", "shadow_prediction", "shadow_probability")
    found = {key: tuple(line[name] for name in names) for key, line in lines.items()}
    b_says = (str(said["predictions"][1]), str(said["probabilities"][1]))
    assert found == {
        f"{plain.request_id}:0": ("user-1", "", "", "", ""),
        f"{split.request_id}:0": ("user-1", str(test.pk), "challenger", "", ""),
        f"{both.request_id}:0": ("", str(shadow.pk), "control", *b_says),
        f"{both.request_id}:1": ("", str(shadow.pk), "control", *b_says),
    }


def test_requests_of_a_test_are_chosen_on_the_page(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    client = browse(eve)
    assert 'name="arm"' not in client.get(LIST).content.decode()
    test = trial.running_test(raisin, raisin.versions.get(number=2), kind="split")
    cast.prediction(raisin, unit="user-0")
    chosen = str(cast.prediction(raisin, unit="user-1").request_id)
    for query in (f"?abtest={test.pk}&arm=challenger", "?arm=challenger", "?unit=user-1"):
        response = client.get(LIST + query)
        assert ids_on(response) == [chosen]
        assert "Clear filters" in text_of(response)
        assert_clean(response)
    assert (
        f'<option value="{test.pk}" selected>'
        in client.get(f"{LIST}?abtest={test.pk}").content.decode()
    )

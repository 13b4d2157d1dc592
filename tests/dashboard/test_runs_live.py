"""The list of runs tells how far those under way are, without being loaded anew."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from endpoints.models import Endpoint, Run
from tests.dashboard.conftest import Browse, Site
from tests.dashboard.pages import assert_clean, text_of
from tests.dashboard.stored import a_run

HTMX = {"HX-Request": "true"}


@pytest.fixture
def client(dana: User, browse: Browse) -> Client:
    return browse(dana)


def part_of(client: Client, *runs: Run) -> HttpResponse:
    query = "&".join(f"run={run.pk}" for run in runs)
    return client.get(f"/runs/?part=rows&{query}", headers=HTMX)


def test_it_works(db: None, client: Client) -> None:
    queued, running = a_run(None), a_run(None, state="running", iterations=1200)
    page = client.get("/runs/")
    assert_clean(page)
    said = page.content.decode()
    assert 'data-live="5"' in said
    assert f"?part=rows&amp;run={running.pk}&amp;run={queued.pk}" in said
    assert "2 runs are under way; the rows show how far." in text_of(page)
    assert "Running epoch 1,200 of 3,000" in text_of(page)
    Run.objects.filter(pk=running.pk).update(iterations=1300)
    part = part_of(client, queued, running)
    said = part.content.decode()
    assert "<html" not in said
    assert f'<tr id="run-{running.pk}" hx-swap-oob="true">' in said
    assert "epoch 1,300 of 3,000" in said
    assert "HX-Reswap" not in part.headers


def test_a_run_that_has_ended_shows_it_and_the_last_one_ends_the_looking(
    db: None, client: Client
) -> None:
    first, last = a_run(None), a_run(None)
    Run.objects.filter(pk=first.pk).update(state="cancelled")
    part = part_of(client, first, last)
    assert "Cancelled" in text_of(part)
    assert "1 run is under way; the row shows how far." in text_of(part)
    Run.objects.update(state="cancelled")
    part = part_of(client, first, last)
    assert "The runs on this page have ended." in text_of(part)
    assert (part.headers["HX-Retarget"], part.headers["HX-Reswap"]) == ("#runs-live", "outerHTML")


def test_a_list_at_rest_is_left_alone(site: Site, client: Client) -> None:
    page = client.get("/runs/")
    assert "data-live" not in page.content.decode()
    assert "under way" not in text_of(page)


def test_it_shows_no_rows_that_one_may_not_see(site: Site, client: Client) -> None:
    """Nobody knows a run that led only to an endpoint for members."""
    assert site.live_run.name in text_of(part_of(client, site.live_run))
    Endpoint.objects.update(members_only=True)
    assert site.live_run.name not in text_of(part_of(client, site.live_run))

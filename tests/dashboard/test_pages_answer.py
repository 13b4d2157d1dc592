"""Every page answers those who may see it, in clean text, and nobody else."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.dashboard.conftest import Browse, Site
from tests.dashboard.pages import assert_clean, read, text_of

PAGES = (
    "/",
    "/endpoints/raisin/",
    "/endpoints/raisin/?period=1h",
    "/endpoints/raisin/?period=7d",
    "/endpoints/raisin/?period=30d",
    "/endpoints/raisin/versions/",
    "/endpoints/raisin/versions/?archived",
    "/endpoints/raisin/versions/?at=2026-11-03T10:00",
    "/endpoints/raisin/versions/1/",
    "/endpoints/raisin/versions/1/card/",
    "/endpoints/raisin/versions/2/card/",
    "/endpoints/raisin/versions/1/summary/",
    "/endpoints/raisin/versions/2/summary/",
    "/endpoints/raisin/versions/1/review/?to=archived",
    "/endpoints/raisin/versions/1/review/?to=production",
    "/endpoints/raisin/versions/2/review/?to=production",
    "/endpoints/raisin/versions/2/review/?to=testing",
    "/endpoints/raisin/predictions/",
    "/endpoints/raisin/predictions/?labelled=true",
    "/endpoints/raisin/predictions/?probability_min=2",
    "/endpoints/raisin/predictions/{prediction}/",
    "/endpoints/raisin/try/",
    "/endpoints/raisin/try/?from={prediction}",
    "/endpoints/raisin/try/?version=2",
    "/endpoints/raisin/alerts/",
    "/endpoints/raisin/tests/",
    "/endpoints/raisin/tests/new/",
    "/alerts/",
    "/batch/",
    "/runs/",
    "/runs/?q=nothing-like-this",
    "/runs/{run}/",
    "/runs/{other}/",
    "/runs/compare/",
    "/runs/compare/?run={run}&run={other}",
    "/train/",
    "/datasets/",
    "/account/",
)
NOT_FOR_ALL = tuple(
    page
    for page in PAGES
    if "/try/" in page or page == "/batch/" or page.endswith(("/tests/new/", "/train/"))
)
NOWHERE = (
    "/endpoints/nowhere/",
    "/endpoints/nowhere/versions/",
    "/endpoints/raisin/versions/99/",
    "/endpoints/raisin/versions/99/review/?to=production",
    "/endpoints/raisin/predictions/00000000-0000-0000-0000-000000000000/",
    "/endpoints/raisin/predictions/{prediction}/?row=7",
    "/endpoints/raisin/try/?version=99",
    "/endpoints/nowhere/alerts/",
    "/endpoints/nowhere/tests/",
    "/tests/99/",
    "/alerts/99/",
    "/runs/0123456789abcdef/",
    "/account/keys/99/revoke/",
)


def address(template: str, site: Site) -> str:
    return template.format(
        prediction=site.prediction.pk, run=site.live_run.pk, other=site.other_run.pk
    )


@pytest.mark.parametrize("template", PAGES)
def test_it_works(template: str, site: Site, admin_user: User, browse: Browse) -> None:
    response = browse(admin_user).get(address(template, site))
    assert response.status_code == 200
    assert_clean(response)


@pytest.mark.parametrize("template", PAGES)
def test_it_refuses_who_is_not_logged_in(template: str, site: Site, client: Client) -> None:
    response = client.get(address(template, site))
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/login/")


@pytest.mark.parametrize("template", NOWHERE)
def test_it_says_what_is_not_there(
    template: str, site: Site, admin_user: User, browse: Browse
) -> None:
    response = browse(admin_user).get(address(template, site))
    assert response.status_code == 404
    assert_clean(response)


@pytest.mark.parametrize("template", [page for page in PAGES if page not in NOT_FOR_ALL])
def test_everybody_reads(template: str, site: Site, eve: User, browse: Browse) -> None:
    response = browse(eve).get(address(template, site))
    assert response.status_code == 200
    assert_clean(response)


def test_it_refuses_a_try_without_permission(site: Site, eve: User, browse: Browse) -> None:
    response = browse(eve).get("/endpoints/raisin/try/")
    assert response.status_code == 403
    assert "endpoints.try_endpoint" in text_of(response)


def test_titles_are_all_different(site: Site, admin_user: User, browse: Browse) -> None:
    client = browse(admin_user)
    different = [page for page in PAGES if "?" not in page]
    bodies = [client.get(address(page, site)).content.decode() for page in different]
    titles = [body.split("<title>")[1].split("</title>")[0] for body in bodies]
    assert all(title.endswith(" — Raisin") for title in titles)
    names = [title for title in titles if "Newton" not in title]
    assert len(set(names)) == len(names)


def test_every_link_leads_somewhere(site: Site, admin_user: User, browse: Browse) -> None:
    client = browse(admin_user)
    links = {
        link if link.startswith("/") else address(page, site).partition("?")[0] + link
        for page in PAGES
        for link in read(client.get(address(page, site))).links
    }
    ours = sorted(link for link in links if not link.startswith(("/admin/", "/static/")))
    dead = [link for link in ours if client.get(link).status_code != 200]
    assert dead == []

"""A GET changes nothing, whatever its query says."""

from __future__ import annotations

from django.apps import apps
from django.contrib.auth.models import User
from django.core import serializers
from django.test import Client

from tests.dashboard.conftest import Browse, Site
from tests.dashboard.test_pages_answer import PAGES, address

TEMPTING = (
    "/endpoints/raisin/versions/2/review/?to=production&reason=because+I+say+so&seen_status=staging"
    "&expected_production=1",
    "/endpoints/raisin/versions/1/review/?to=archived&reason=because+I+say+so",
    "/endpoints/raisin/predictions/{prediction}/?label=Besni",
    "/endpoints/raisin/try/?column_0=1&version=1",
    "/runs/{run}/register/?endpoint=raisin",
    "/runs/{run}/archive/",
    "/account/?name=key&scopes=predict",
    "/account/theme/?theme=dark",
    "/endpoints/raisin/predictions/download/",
    "/runs/download/",
)


def everything() -> str:
    models = apps.get_app_config("endpoints").get_models()
    rows = [row for model in models for row in model._default_manager.order_by("pk")]
    return serializers.serialize("json", rows)


def visit(client: Client, address_: str) -> None:
    response = client.get(address_)
    if response.streaming:
        b"".join(response.streaming_content)


def test_it_works(site: Site, admin_user: User, browse: Browse) -> None:
    client = browse(admin_user)
    before = everything()
    for template in (*PAGES, *TEMPTING):
        visit(client, address(template, site))
    assert everything() == before

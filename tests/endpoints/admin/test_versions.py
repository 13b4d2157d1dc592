"""Of a version the note alone can be written."""

from __future__ import annotations

import pytest
from django.test import Client

from endpoints.models import Endpoint, Event
from tests.endpoints.admin.site import staff, url

pytestmark = pytest.mark.django_db


def test_it_works(raisin: Endpoint, admin_client: Client) -> None:
    version = raisin.versions.get(number=1)
    before = (version.status, version.threshold, version.artifact_sha256)
    data = {"note": "for wet grains", "status": "archived", "threshold": "0.9"}
    page = url("algorithmversion", "change", version.pk)
    assert admin_client.post(page, data).status_code == 302
    version.refresh_from_db()
    assert version.note == "for wet grains"
    assert (version.status, version.threshold, version.artifact_sha256) == before


def test_it_refuses_to_delete_one(raisin: Endpoint, admin_client: Client) -> None:
    page = url("algorithmversion", "delete", raisin.versions.get(number=2).pk)
    assert admin_client.post(page, {"post": "yes"}).status_code == 403


def test_it_refuses_who_may_only_look(raisin: Endpoint) -> None:
    page = url("algorithmversion", "change", raisin.versions.get(number=1).pk)
    answer = staff("eve", "view_algorithmversion").post(page, {"note": "mine"})
    assert answer.status_code == 403


def test_it_records_who_wrote_the_note(raisin: Endpoint, admin_client: Client) -> None:
    page = url("algorithmversion", "change", raisin.versions.get(number=2).pk)
    admin_client.post(page, {"note": "for wet grains"})
    event = Event.objects.get(verb="change")
    assert (event.actor_name, event.subject) == ("admin", "v2")
    assert (event.before, event.after) == ({"note": ""}, {"note": "for wet grains"})


def test_one_is_found_by_its_key_and_by_its_note(raisin: Endpoint, admin_client: Client) -> None:
    version = raisin.versions.get(number=2)
    raisin.versions.filter(pk=version.pk).update(note="for wet grains")
    for words in (str(version.pk), "wet"):
        listed = admin_client.get(url("algorithmversion"), {"q": words}).context["cl"].queryset
        assert version in listed
    assert not admin_client.get(url("algorithmversion"), {"q": "dry"}).context["cl"].queryset

"""What the admin may do with keys that others made: read them, limit them, revoke them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from endpoints.models import Event
from tests import cast
from tests.endpoints.admin.site import staff, url


@pytest.mark.parametrize(("text", "rate"), [("2.5", 2.5), ("", None)])
def test_it_works(admin_client: Client, dev: User, text: str, rate: float | None) -> None:
    key, _ = cast.new_key(dev)
    type(key).objects.update(rate=7.0)
    done = admin_client.post(url("apikey", "change", key.pk), {"rate": text})
    assert done.status_code == 302
    key.refresh_from_db()
    assert key.rate == rate
    event = Event.objects.get(verb="limit_key")
    assert (event.before, event.after) == ({"rate": 7.0}, {"rate": rate})


def test_nothing_else_can_be_changed(admin_client: Client, dev: User) -> None:
    key, _ = cast.new_key(dev)
    page: Any = admin_client.get(url("apikey", "change", key.pk))
    assert set(page.context["adminform"].form.fields) == {"rate"}
    assert key.secret_sha256 not in page.content.decode()
    admin_client.post(url("apikey", "change", key.pk), {"rate": "", "name": "mine", "scopes": "[]"})
    key.refresh_from_db()
    assert (key.name, key.rate) == ("tests", None)
    assert not Event.objects.filter(verb="limit_key").exists()


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "much"])
def test_it_refuses_what_is_no_rate(admin_client: Client, dev: User, text: str) -> None:
    key, _ = cast.new_key(dev)
    page = admin_client.post(url("apikey", "change", key.pk), {"rate": text})
    assert page.status_code == 200
    key.refresh_from_db()
    assert key.rate is None


def test_who_may_only_look_changes_nothing(dev: User) -> None:
    key, _ = cast.new_key(dev)
    looker = staff("looker", "view_apikey")
    assert looker.post(url("apikey", "change", key.pk), {"rate": "1"}).status_code == 403

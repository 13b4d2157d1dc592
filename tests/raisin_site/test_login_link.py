"""One-time login links: they work once, expire, and belong to one person."""

from __future__ import annotations

import io
import json

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client

pytestmark = pytest.mark.django_db


def link(*arguments: str) -> str:
    out = io.StringIO()
    call_command("login_link", *arguments, "--json", stdout=out)
    url: str = json.loads(out.getvalue())["login_url"]
    return url.split("8000", 1)[1]


def test_it_works(client: Client) -> None:
    response = client.get(link())
    assert response.status_code == 302
    user = get_user_model().objects.get()
    assert client.session["_auth_user_id"] == str(user.pk)


def test_the_first_administrator_has_no_password(client: Client) -> None:
    link()
    assert not get_user_model().objects.get().has_usable_password()


def test_it_works_once_only(client: Client) -> None:
    path = link()
    client.get(path)
    stranger = Client()
    response = stranger.get(path, follow=True)
    assert "_auth_user_id" not in stranger.session
    assert "link" in response.redirect_chain[-1][0]


def test_it_expires(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    path = link()
    monkeypatch.setattr("sesame.settings.MAX_AGE", -1)
    client.get(path)
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("token", ["", "AAAA", "x" * 500, "%00", "é"])
def test_it_refuses_a_made_up_token(client: Client, token: str) -> None:
    response = client.get(f"/login/link/?token={token}")
    assert response.status_code in {302, 400, 403}
    assert "_auth_user_id" not in client.session


def test_it_can_be_made_for_a_named_user(client: Client) -> None:
    alex = get_user_model().objects.create_user("alex")
    client.get(link("alex"))
    assert client.session["_auth_user_id"] == str(alex.pk)


def test_it_refuses_an_unknown_or_inactive_user() -> None:
    get_user_model().objects.create_user("gone", is_active=False)
    for name in ("gone", "nobody"):
        with pytest.raises(CommandError, match="no active user"):
            call_command("login_link", name)

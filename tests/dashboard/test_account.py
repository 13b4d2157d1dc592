"""The account page: keys shown once, revoked for good; the theme in a cookie."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from endpoints.models import ApiKey, Endpoint, Membership
from endpoints.services import keys
from tests import cast
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, text_of

ANSWERS = {"name": "till", "endpoint": "*", "scopes": ["predict", "feedback"], "days": "0"}


def test_it_works(raisin: Endpoint, dev: User, browse: Browse) -> None:
    client = browse(dev)
    response = client.post("/account/", ANSWERS | {"endpoint": "raisin", "days": "30"})
    secret = re.search(r"rsn_\w{8}_\w{32}", response.content.decode())
    assert secret
    key = keys.authenticate(secret[0], timezone.now())
    assert key is not None
    assert (key.name, key.endpoint, key.scopes) == ("till", raisin, ["feedback", "predict"])
    assert key.expires_at is not None
    assert "no-store" in response.headers["Cache-Control"]
    assert secret[0] not in client.get("/account/").content.decode()


def test_it_names_ones_roles(raisin: Endpoint, dev: User, browse: Browse) -> None:
    dev.groups.add(cast.role("viewer"))
    Membership.objects.create(user=dev, endpoint=raisin, role=cast.role("approver"))
    assert "viewer, approver at Raisin" in text_of(browse(dev).get("/account/"))


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"scopes": []}, {"scopes": ["rule"]}, {"endpoint": "x"}, {"days": "9"}],
)
def test_it_refuses_a_bad_key(
    wrong: dict[str, object], raisin: Endpoint, dev: User, browse: Browse
) -> None:
    response = browse(dev).post("/account/", ANSWERS | wrong)
    assert response.status_code == 422
    assert not ApiKey.objects.exists()
    assert_clean(response)


def test_a_key_to_manage_is_offered_to_who_may_have_keys(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    page = browse(alex).get("/account/")
    assert "whatever its maker may do" in text_of(page)
    assert "send true labels" not in text_of(page), "an approver may not send them"
    browse(alex).post("/account/", ANSWERS | {"scopes": ["manage"]})
    assert ApiKey.objects.get().scopes == ["manage"]


@pytest.mark.parametrize("person", ["eve", "ana"])
def test_who_may_have_no_keys_is_told_why(
    person: str, raisin: Endpoint, request: pytest.FixtureRequest, browse: Browse
) -> None:
    client = browse(request.getfixturevalue(person))
    page = client.get("/account/")
    assert "you need the role of a developer, a scientist or an approver" in text_of(page)
    assert "Create a key" not in text_of(page)
    assert_clean(page)
    assert client.post("/account/", ANSWERS).status_code == 403
    assert not ApiKey.objects.exists()


def test_who_has_lost_the_role_can_still_revoke(
    raisin: Endpoint, dev: User, browse: Browse
) -> None:
    key, text = cast.new_key(dev)
    dev.user_permissions.clear()
    assert "Revoke" in text_of(browse(dev).get("/account/"))
    browse(dev).post(f"/account/keys/{key.pk}/revoke/")
    assert keys.authenticate(text, timezone.now()) is None


def test_a_developer_of_one_endpoint_is_told_to_choose_it(raisin: Endpoint, browse: Browse) -> None:
    user = User.objects.create_user("olaf")
    Membership.objects.create(user=user, endpoint=raisin, role=cast.role("developer"))
    client = browse(user)
    response = client.post("/account/", ANSWERS)
    assert response.status_code == 422
    assert "make the key for one of them" in text_of(response)
    assert_clean(response)
    assert client.post("/account/", ANSWERS | {"endpoint": "raisin"}).status_code == 200
    assert ApiKey.objects.get().endpoint == raisin


def test_a_key_is_revoked_after_a_confirmation(dev: User, browse: Browse) -> None:
    key, text = cast.new_key(dev)
    client = browse(dev)
    address = f"/account/keys/{key.pk}/revoke/"
    assert "This cannot be undone." in text_of(client.get(address))
    assert keys.authenticate(text, timezone.now()) is not None
    response = client.post(address, follow=True)
    assert keys.authenticate(text, timezone.now()) is None
    assert "revoked" in text_of(response)


def test_it_refuses_the_key_of_somebody_else(dev: User, dana: User, browse: Browse) -> None:
    key, _ = cast.new_key(dana)
    response = browse(dev).post(f"/account/keys/{key.pk}/revoke/")
    assert response.status_code == 404
    assert "tests" not in text_of(browse(dev).get("/account/"))
    assert ApiKey.objects.usable(timezone.now()).count() == 1


@pytest.mark.parametrize(
    ("theme", "attribute"), [("dark", True), ("light", True), ("system", False)]
)
def test_the_theme_is_remembered(theme: str, attribute: bool, eve: User, browse: Browse) -> None:
    client = browse(eve)
    response = client.post(
        "/account/theme/", {"theme": theme}, headers={"referer": "http://testserver/runs/"}
    )
    assert response.headers["Location"] == "http://testserver/runs/"
    assert (f'data-theme="{theme}"' in client.get("/").content.decode()) == attribute


def test_the_theme_leads_to_no_other_site(eve: User, browse: Browse) -> None:
    response = browse(eve).post(
        "/account/theme/", {"theme": "dark"}, headers={"referer": "https://evil.example/"}
    )
    assert response.headers["Location"] == "/account/"

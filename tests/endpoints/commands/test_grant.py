"""`manage.py grant`: roles from the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from endpoints.models import Event, Membership
from tests import cast

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def olaf(db: None) -> User:
    cast.role("scientist")
    return User.objects.create_user("olaf")


def grant(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    call_command("grant", *arguments, "--json")
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    return facts


def test_it_works(olaf: User, capsys: pytest.CaptureFixture[str]) -> None:
    facts = grant(capsys, "olaf", "scientist")
    assert facts == {
        "username": "olaf",
        "role": "scientist",
        "endpoint": None,
        "holds": True,
        "changed": True,
    }
    assert olaf.groups.get().name == "scientist"
    assert not grant(capsys, "olaf", "scientist")["changed"]
    assert grant(capsys, "olaf", "scientist", "--revoke")["changed"]
    assert not olaf.groups.exists()
    assert {event.actor_name for event in Event.objects.all()} == {"command line"}


def test_it_gives_a_role_at_one_endpoint(olaf: User, capsys: pytest.CaptureFixture[str]) -> None:
    cast.an_endpoint()
    assert grant(capsys, "olaf", "scientist", "--endpoint", "raisin")["endpoint"] == "raisin"
    assert str(Membership.objects.get()) == "olaf is scientist of Raisin"
    grant(capsys, "olaf", "scientist", "--endpoint", "raisin", "--revoke")
    assert not Membership.objects.exists()


def test_it_says_the_result_to_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    for said in ("olaf is scientist.", "olaf is scientist already."):
        call_command("grant", "olaf", "scientist")
        assert capsys.readouterr().out.strip() == said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody", "scientist"], "There is no active user “nobody”."),
        (["olaf", "king"], "“king” is no role; choose from viewer, scientist"),
        (["olaf", "scientist", "--endpoint", "nowhere"], "There is no endpoint “nowhere”."),
    ],
)
def test_it_refuses(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("grant", *arguments)

"""The admin as tests drive it: its addresses, its actions, its people."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from tests import cast


def url(model: str, page: str = "changelist", *place: object) -> str:
    return reverse(f"admin:endpoints_{model}_{page}", args=place)


def run_action(
    client: Client, model: str, action: str, chosen: list[object], **more: str
) -> HttpResponse:
    data: dict[str, object] = {
        "action": action,
        "_selected_action": [str(key) for key in chosen],
    } | more
    return client.post(url(model), data)


def staff(name: str, *permissions: str) -> Client:
    user = cast.person(name, permissions)
    User.objects.filter(pk=user.pk).update(is_staff=True)
    client = Client()
    client.force_login(user)
    return client

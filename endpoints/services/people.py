"""The first account and one-time login links; passwords and sessions are Django's."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.urls import reverse
from sesame.utils import get_query_string

from endpoints.errors import NotFound

FIRST_ADMIN = "admin"


def first_admin() -> User:
    """Return the oldest active administrator; make one without a password if there is none."""
    users = get_user_model().objects
    found = users.filter(is_superuser=True, is_active=True).order_by("pk").first()
    return found or users.create_superuser(FIRST_ADMIN)


def find_user(username: str) -> User:
    found = get_user_model().objects.filter(username=username, is_active=True).first()
    if found is None:
        raise NotFound(f"There is no active user “{username}”.")
    return found


def login_link(user: User) -> str:
    """Return a URL that logs the user in once, within RAISIN_LOGIN_LINK_SECONDS."""
    return f"{settings.RAISIN_URL}{reverse('login_link')}{get_query_string(user)}"

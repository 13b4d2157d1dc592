"""The browser pages as a Django app; they know nothing of the site around them."""

from __future__ import annotations

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"
    verbose_name = "Pages"

"""The site's own app: it holds the commands that prepare and serve the whole."""

from __future__ import annotations

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "raisin_site"
    verbose_name = "Raisin"

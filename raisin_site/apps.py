"""The site's own app: it holds the commands that prepare and serve the whole."""

from __future__ import annotations

from django.apps import AppConfig

from raisin_site.lean import load_rest_framework


class SiteConfig(AppConfig):
    name = "raisin_site"
    verbose_name = "Raisin"

    def ready(self) -> None:
        load_rest_framework()

"""One real server for all foreign clients, and what the native route says of the same grains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.clients.native import Native
from tests.clients.prepared import FRUITS, Row, grains, prepare
from tests.live import LiveSite, copied_site


@dataclass(frozen=True)
class Served:
    """The site, a key that may predict, and grains to ask about."""

    site: LiveSite
    key: str
    rows: list[Row]

    @property
    def host(self) -> str:
        """The address as those want it who refuse a scheme."""
        return self.site.url.removeprefix("http://")

    @property
    def given(self) -> dict[str, Any]:
        """What a script is told."""
        facts = {"url": self.site.url, "host": self.host, "key": self.key}
        return facts | {"rows": self.rows, "fruits": FRUITS}

    def native(self, slug: str = "raisin") -> Native:
        return Native(self.site, slug, self.key)


@pytest.fixture(scope="session")
def served(demo_as_made: LiveSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The demo with two more endpoints; it is asked, and nobody changes it."""
    with copied_site(demo_as_made, tmp_path_factory.mktemp("clients")) as site:
        key = prepare(site)
        site.start()
        yield Served(site, key, grains())

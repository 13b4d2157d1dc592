"""What the native route answers: the measure for all that comes back over other protocols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.clients.prepared import Row
from tests.live import LiveSite

TOLERANCE = 1e-12


def close(values: Any) -> Any:
    """To compare with `==`; so small that no second way of computing hides behind it."""
    return pytest.approx(values, rel=0, abs=TOLERANCE)


class Native:
    """The native route of one endpoint; a key only where the endpoint asks for one."""

    def __init__(self, site: LiveSite, slug: str = "raisin", key: str = "") -> None:
        self.site = site
        self.path = f"/api/v1/{slug}/predict"
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    def answer(self, rows: Sequence[Row], query: str = "") -> tuple[int, dict[str, Any]]:
        return self.site.post(self.path + query, {"rows": list(rows)}, **self.headers)

    def probabilities(self, rows: Sequence[Row], query: str = "") -> list[float]:
        """Of the positive class, one for each of several rows."""
        found: list[float] = self._of_several(rows, query)["probabilities"]
        return found

    def predictions(self, rows: Sequence[Row], query: str = "") -> list[int]:
        found: list[int] = self._of_several(rows, query)["predictions"]
        return found

    def labels(self, rows: Sequence[Row]) -> list[str]:
        found: list[str] = self._of_several(rows, "")["labels"]
        return found

    def _of_several(self, rows: Sequence[Row], query: str) -> dict[str, Any]:
        assert len(rows) > 1, "a single row is answered in the singular"
        status, answer = self.answer(rows, query)
        assert status == 200, answer
        return answer

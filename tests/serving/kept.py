"""What the log of a site holds, read past the site, and whether it is what clients received."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from tests.live import LiveSite
from tests.serving.load import Received

LOGGED = """
    SELECT CAST(r.id AS TEXT) AS id, r.correlation_id, r.inputs, r.probabilities, v.number
    FROM endpoints_predictionrequest r
    JOIN endpoints_algorithmversion v ON v.id = r.version_id
    WHERE r.source = 'api'
"""
COUNTED = "SELECT sum(requests) AS requests FROM endpoints_rollup WHERE seconds = %s"


def logged(site: LiveSite) -> dict[str, dict[str, Any]]:
    """The log by request id."""
    return {str(UUID(row["id"])): row for row in site.query(LOGGED)}


def check_answers_are_kept(site: LiveSite, received: Iterable[Received]) -> None:
    """Every answer that a client has is in the log once, with its inputs, and is counted."""
    kept = logged(site)
    for got in received:
        row = kept[got.answer["request_id"]]
        assert json.loads(row["inputs"]) == [list(got.row.values())]
        assert json.loads(row["probabilities"]) == [got.answer["probability"]]
        assert row["number"] == got.answer["version"]
        assert row["correlation_id"] == got.correlation_id
    times = Counter(row["correlation_id"] for row in kept.values())
    assert max(times.values()) == 1
    (demo,) = site.query(
        "SELECT count(*) AS n FROM endpoints_predictionrequest WHERE source <> 'api'"
    )
    for seconds in (60, 3_600):
        (counted,) = site.query(COUNTED, [seconds])
        assert counted["requests"] == len(kept) + demo["n"]

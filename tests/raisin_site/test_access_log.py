"""One JSON line a request where that is wanted, and nothing in it that must stay secret."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from endpoints.models import Endpoint
from endpoints.services import people
from raisin_site.logging import JsonFormatter
from tests.cast import ROW

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"
AGENT = {"User-Agent": "x" * 300}


class Lines(logging.Handler):
    """What would be written to standard error."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))

    @property
    def only(self) -> dict[str, Any]:
        [text] = self.texts
        line = json.loads(text)
        assert isinstance(line, dict)
        return line


@pytest.fixture
def lines(settings: Any) -> Iterator[Lines]:
    settings.RAISIN_ACCESS_LOG = True
    handler, logger = Lines(), logging.getLogger("raisin.access")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def test_it_works(lines: Lines, client: Client, raisin: Endpoint, dev_key: str) -> None:
    headers = {
        "Authorization": f"Bearer {dev_key}",
        "X-Request-ID": "trace-7",
        "traceparent": TRACEPARENT,
        **AGENT,
    }
    response = client.post(
        "/api/v1/raisin/predict", ROW, content_type="application/json", headers=headers
    )
    assert response.status_code == 200
    line = lines.only
    assert 0 < line.pop("duration_ms") < 60_000
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "logger": "raisin.access",
        "message": "POST /api/v1/raisin/predict 200",
        "request_id": "trace-7",
        "method": "POST",
        "path": "/api/v1/raisin/predict",
        "status": 200,
        "bytes": len(response.content),
        "trace_id": TRACE,
        "caller": dev_key[:12],
        "user_agent": "x" * 200,
    }


@pytest.mark.django_db
def test_it_is_off_unless_wanted(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client.get("/login/")
    assert [record for record in caplog.records if record.name == "raisin.access"] == []


def test_it_names_the_person(lines: Lines, client: Client, ana: User) -> None:
    client.force_login(ana)
    client.get("/")
    assert lines.only["caller"] == "ana"


@pytest.mark.django_db
def test_nobody_known_is_null(lines: Lines, client: Client) -> None:
    client.get("/login/")
    assert (lines.only["caller"], lines.only["trace_id"]) == (None, None)


def test_a_login_link_stays_secret(lines: Lines, client: Client, ana: User) -> None:
    link = people.login_link(ana)
    assert client.get(link).status_code == 302
    token = link.partition("token=")[2]
    assert token not in "".join(lines.texts)
    assert lines.only["path"] == "/login/link/"


@pytest.mark.django_db
@pytest.mark.parametrize("secret", ["Bearer rsn_secret", "Basic YW5hOmFuYQ==", "open sesame"])
def test_what_is_no_key_is_not_repeated(lines: Lines, client: Client, secret: str) -> None:
    client.get("/api/v1/endpoints", headers={"Authorization": secret})
    assert (lines.only["caller"], lines.only["status"]) == (None, 401)
    assert secret.partition(" ")[2] not in lines.texts[0]


def test_neither_a_key_nor_a_body_is_written(
    lines: Lines, client: Client, raisin: Endpoint, dev_key: str
) -> None:
    headers = {"Authorization": f"Bearer {dev_key}"}
    body = {"password": "sesame"}
    client.post("/api/v1/raisin/predict", body, content_type="application/json", headers=headers)
    assert dev_key not in lines.texts[0]
    assert "sesame" not in lines.texts[0]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    ["/healthz", "/readyz", "/v2/health/live", "/metrics", "/ping", "/e/raisin/ping"]
    + ["/v2/models/raisin/ready", "/static/site.css"],
)
def test_probes_and_files_are_left_out(lines: Lines, client: Client, path: str) -> None:
    client.get(path)
    assert lines.texts == []


@pytest.mark.django_db
def test_a_path_cannot_write_a_line_of_its_own(lines: Lines, client: Client) -> None:
    client.get('/a%0a{"level": "error"}' + "b" * 500)
    assert "\n" not in lines.texts[0]
    assert len(lines.only["path"]) == 200

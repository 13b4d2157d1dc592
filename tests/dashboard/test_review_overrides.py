"""Promoting although a gate failed: who may, with what reason, and that it is shown for ever."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from endpoints.models import Endpoint, StatusChange
from endpoints.services import artifacts
from tests import cast
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, text_of
from tests.dashboard.test_review import decide, may, statuses, url

PROMOTE = f"{url(3, 'production')}&verb=promote"
LONG = "The harvest cannot wait for more rows"


@pytest.fixture
def worse(raisin: Endpoint) -> Endpoint:
    """v3 is staged and fails the metric gate: it has not converged and is much worse than v1."""
    cast.registered_version(raisin, status="staging", lambda_=3.0)
    return raisin


def test_it_works(worse: Endpoint, alex: User, eve: User, browse: Browse) -> None:
    client = browse(may(alex, "override_gates"))
    page = client.get(PROMOTE)
    assert "Promote although this gate failed: Validation metric" in text_of(page)
    assert 'aria-disabled="true"' not in page.content.decode()
    assert_clean(page)
    decide(client, PROMOTE, reason=LONG, override="on")
    assert statuses(worse)[2] == (3, "production")
    assert StatusChange.objects.get(verb="promote", version__number=3).overridden == ["metric"]


def test_it_is_shown_for_ever(worse: Endpoint, alex: User, eve: User, browse: Browse) -> None:
    client = browse(may(alex, "override_gates"))
    decide(client, PROMOTE, reason=LONG, override="on")
    decide(client, url(1, "production"), cause="Bad predictions")
    version = browse(eve).get("/endpoints/raisin/versions/3/")
    assert "gate overruled" in text_of(version)
    assert "Promoted although a gate failed: Validation metric alex overruled it" in text_of(
        version
    )
    assert_clean(version)
    history = text_of(browse(eve).get("/endpoints/raisin/versions/?what=overridden"))
    assert "1 found" in history
    assert f"overruled: Validation metric {LONG}" in history


def test_it_refuses_without_the_tick(worse: Endpoint, alex: User, browse: Browse) -> None:
    response = decide(browse(may(alex, "override_gates")), PROMOTE, reason=LONG)
    assert response.status_code == 409
    assert f">\n{LONG}</textarea>" in response.content.decode()
    assert statuses(worse)[2] == (3, "staging")


def test_it_refuses_a_short_reason(worse: Endpoint, alex: User, browse: Browse) -> None:
    client = browse(may(alex, "override_gates"))
    response = decide(client, PROMOTE, reason="It must be so", override="on")
    assert response.status_code == 422
    assert "To overrule a gate, say why in at least 20 characters." in text_of(response)
    assert " checked" in response.content.decode()
    assert statuses(worse)[2] == (3, "staging")


def test_it_refuses_who_may_not_overrule(worse: Endpoint, alex: User, browse: Browse) -> None:
    client = browse(alex)
    page = client.get(PROMOTE)
    body = page.content.decode()
    assert 'aria-disabled="true" aria-describedby="blocked"' in body
    assert "The gate “Validation metric” failed." in text_of(page)
    assert 'name="override"' not in body
    response = decide(client, PROMOTE, reason=LONG, override="on")
    assert response.status_code == 403
    assert statuses(worse)[2] == (3, "staging")


def test_a_tick_without_need_overrules_nothing(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    decide(browse(alex), url(2, "production"), reason=LONG, override="on")
    assert StatusChange.objects.get(verb="promote", version__number=2).overridden == []


@pytest.mark.parametrize("policy", ["block", "warn"])
def test_a_model_that_does_not_load_is_promoted_by_nobody(
    worse: Endpoint, alex: User, browse: Browse, policy: str
) -> None:
    Endpoint.objects.update(gate_policy=policy)
    broken = worse.versions.get(number=3)
    (artifacts.folder(broken) / "weights.npz").write_bytes(b"damaged")
    client = browse(may(alex, "override_gates"))
    page = client.get(PROMOTE)
    assert "Nobody can overrule that" in text_of(page)
    assert 'aria-disabled="true"' in page.content.decode()
    assert decide(client, PROMOTE, reason=LONG, override="on").status_code == 409
    assert statuses(worse)[2] == (3, "staging")

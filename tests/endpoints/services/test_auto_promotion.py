"""Auto-promotion: off unless asked for, never against a gate, and a registration always stays."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from endpoints.errors import Conflict
from endpoints.models import AlgorithmVersion, Endpoint, Event, Status, StatusChange
from endpoints.services import auto_promotion, lifecycle
from tests import cast

pytestmark = pytest.mark.django_db
LATER = cast.THEN + timedelta(days=1)
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def eager(db: None) -> Endpoint:
    """An endpoint that promotes what is better, with a poor v1 in production."""
    endpoint = cast.an_endpoint()
    cast.registered_version(endpoint, status="production", lambda_=0.1)
    endpoint.auto_promote = True
    endpoint.save()
    return endpoint


def considered(endpoint: Endpoint, **spec: object) -> tuple[AlgorithmVersion, StatusChange | None]:
    version = cast.registered_version(endpoint, **spec)
    return version, auto_promotion.consider(version, now=LATER)


def why_not(version: AlgorithmVersion) -> str:
    event = Event.objects.get(verb="not_auto_promoted", subject=version.label)
    assert event.actor_name == "auto-promotion"
    return event.reason


def test_it_works(eager: Endpoint) -> None:
    version, change = considered(eager)
    assert change is not None
    version.refresh_from_db()
    assert version.status == Status.PRODUCTION
    assert (change.actor, change.actor_name) == (None, "auto-promotion")
    assert "v2 is better than v1 on log loss by 0.0" in change.reason
    assert change.gates
    assert list(version.status_changes.values_list("verb", flat=True)) == [
        "promote", "stage", "register",
    ]  # fmt: skip


def test_it_is_off_unless_the_endpoint_asks_for_it(eager: Endpoint) -> None:
    eager.auto_promote = False
    version, change = considered(eager)
    assert change is None
    assert version.status == Status.TESTING
    assert not Event.objects.filter(verb="not_auto_promoted").exists()


def test_a_worse_version_stays_in_testing_and_the_endpoint_says_why(eager: Endpoint) -> None:
    version, change = considered(eager, lambda_=3.0)
    assert change is None
    assert version.status == Status.TESTING
    assert "v2 is worse than v1 on log loss" in why_not(version)


def test_an_equal_one_is_not_better(eager: Endpoint) -> None:
    version, change = considered(eager, lambda_=0.1)
    assert change is None
    assert why_not(version).startswith("Not better than v1: v2 equals v1")


def test_a_worse_one_within_the_tolerance_is_not_better(eager: Endpoint) -> None:
    eager.metric_tolerance = 10.0
    version, change = considered(eager, lambda_=0.2)
    assert change is None
    assert why_not(version).startswith("Not better than v1: v2 is worse")


def test_the_minimum_improvement_holds(eager: Endpoint) -> None:
    eager.minimum_improvement = 5.0
    version, change = considered(eager)
    assert change is None
    assert version.status == Status.TESTING


def test_a_first_version_waits_for_a_person(db: None) -> None:
    endpoint = cast.an_endpoint()
    endpoint.auto_promote = True
    version, change = considered(endpoint)
    assert change is None
    assert why_not(version) == "There is nothing to compare it with."


def test_a_failed_gate_stops_it_even_where_gates_only_warn(eager: Endpoint) -> None:
    eager.gate_policy = "warn"
    version, change = considered(eager, positive="Kecimen")
    assert change is None
    assert "Callers of v1 would break" in why_not(version)


@pytest.mark.parametrize("everywhere", [False, True])
def test_it_is_no_second_person(eager: Endpoint, settings: object, *, everywhere: bool) -> None:
    settings.RAISIN_SECOND_PERSON = everywhere  # type: ignore[attr-defined]
    eager.second_person_required = not everywhere
    version, change = considered(eager)
    assert change is None
    assert why_not(version) == "A second person has to decide here."


def test_losing_a_race_leaves_the_registration(
    eager: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(**_: object) -> None:
        raise Conflict("v9 became production at 12:00:00 (ben). Review again.")

    monkeypatch.setattr(lifecycle, "promote", lose)
    version, change = considered(eager)
    assert change is None
    version.refresh_from_db()
    assert version.status == Status.STAGING
    assert "v9 became production" in why_not(version)


def test_a_broken_artefact_leaves_the_registration(eager: Endpoint) -> None:
    version = cast.registered_version(eager)
    (cast.folder_of(version.run) / "model" / "weights.npz").write_bytes(b"")
    assert auto_promotion.consider(version, now=LATER) is None
    assert "The artefact cannot be used" in why_not(version)


def test_asked_again_it_says_nothing_new(eager: Endpoint) -> None:
    version, _ = considered(eager, lambda_=3.0)
    assert auto_promotion.consider(version, now=LATER) is None
    assert why_not(version)
    promoted, change = considered(eager)
    assert change is not None
    assert auto_promotion.consider(promoted, now=LATER) is None


def test_whoever_registers_a_version_considers_it() -> None:
    """The demo tells a story of its own; everybody else asks, once the registration is kept."""
    sources = [*ROOT.glob("endpoints/**/*.py"), *ROOT.glob("dashboard/**/*.py")]
    registers = {
        str(path.relative_to(ROOT)): path.read_text()
        for path in sources
        if re.search(r"\blifecycle\.register\(", path.read_text())
    }
    assert len(registers) > 3
    forgetful = [name for name, text in registers.items() if "auto_promotion.consider(" not in text]
    assert forgetful == ["endpoints/services/demo.py"]


def test_a_model_from_elsewhere_waits_for_a_person(eager: Endpoint) -> None:
    """It may have been trained on the rows that would judge it, and would look the better for it."""
    run = cast.trained_run()
    run.uploaded = True
    run.save(update_fields=["uploaded"])
    version, change = considered(eager, run=run)
    assert change is None
    assert "trained elsewhere is promoted by a person" in why_not(version)

"""The review page: the only way to change what serves, safe against stale, double and bad submits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.http import HttpResponse
from django.test import Client

from endpoints.models import AlgorithmVersion, Endpoint, StatusChange
from endpoints.services import artifacts, lifecycle
from endpoints.services.transitions import Decision
from tests import cast
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, read, text_of

REASON = "better on the new region"


def url(number: int, to: str) -> str:
    return f"/endpoints/raisin/versions/{number}/review/?to={to}"


def fill_in(client: Client, address: str, **answers: str) -> dict[str, str]:
    """Return what the form of this page sends: its hidden fields and the answers."""
    return read(client.get(address)).fields | {"reason": REASON} | answers


def decide(client: Client, address: str, **answers: str) -> HttpResponse:
    return client.post(address, fill_in(client, address, **answers), follow=True)


def statuses(endpoint: Endpoint) -> list[tuple[int, str]]:
    return list(endpoint.versions.order_by("number").values_list("number", "status"))


def may(user: User, codename: str) -> User:
    user.user_permissions.add(Permission.objects.get(codename=codename))
    return user


def test_it_works(raisin: Endpoint, alex: User, browse: Browse) -> None:
    response = decide(browse(alex), url(2, "production"))
    assert statuses(raisin) == [(1, "archived"), (2, "production")]
    assert response.redirect_chain == [("/endpoints/raisin/", 302)]
    said = text_of(response)
    assert "v2 is live since" in said
    assert 'versions/1/review/?to=production">Roll back to v1</a>' in response.content.decode()


def test_it_shows_consequence_gates_difference_and_one_button(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    cast.prediction(raisin)
    response = browse(alex).get(url(2, "production"))
    said = text_of(response)
    assert "v2 will answer every request to “Raisin”" in said
    assert "v1 is archived and stays loadable" in said
    assert all(
        gate in said
        for gate in (
            "Artefact reload",
            "Schema and classes",
            "Solver converged",
            "Validation metric",
        )
    )
    assert all(part in said for part in ("Metrics", "Weights that change most", "Lambda"))
    assert response.content.decode().count("Promote v2 to production</button>") == 1


@pytest.mark.parametrize(
    ("number", "to", "expected"),
    [
        (2, "testing", [(1, "production"), (2, "testing")]),
        (2, "archived", [(1, "production"), (2, "archived")]),
        (1, "archived", [(1, "archived"), (2, "staging")]),
    ],
)
def test_it_moves_versions(
    number: int,
    to: str,
    expected: list[tuple[int, str]],
    raisin: Endpoint,
    alex: User,
    browse: Browse,
) -> None:
    response = decide(browse(alex), url(number, to))
    assert statuses(raisin) == expected
    where = "the archive" if to == "archived" else to
    assert f"v{number} is in {where} since" in text_of(response)


def test_it_stages_without_a_reason_and_restores_with_one(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    client = browse(alex)
    decide(client, url(2, "archived"))
    decide(client, url(2, "testing"))
    assert statuses(raisin)[1] == (2, "testing")
    decide(client, url(2, "staging"), reason="")
    assert statuses(raisin)[1] == (2, "staging")


def test_a_rollback_takes_two_clicks(raisin: Endpoint, alex: User, browse: Browse) -> None:
    client = browse(alex)
    decide(client, url(2, "production"))
    overview = client.get("/endpoints/raisin/")
    assert "Roll back to v1" in text_of(overview)
    address = url(1, "production")
    fields = read(client.get(address)).fields
    response = client.post(
        address, fields | {"cause": "Bad predictions", "reason": ""}, follow=True
    )
    assert statuses(raisin) == [(1, "production"), (2, "archived")]
    assert "v1 is live since" in text_of(response)
    change = StatusChange.objects.get(verb="roll_back")
    assert (change.reason, change.actor_name) == ("Bad predictions", "alex")


def test_the_first_cause_is_chosen_already(raisin: Endpoint, alex: User, browse: Browse) -> None:
    client = browse(alex)
    decide(client, url(2, "production"))
    body = client.get(url(1, "production")).content.decode()
    assert body.count(" checked") == 1
    assert 'value="Bad predictions"' in body.split(" checked")[0].rsplit("<input", 1)[1]


def test_it_refuses_another_cause_without_words(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    client = browse(alex)
    decide(client, url(2, "production"))
    response = decide(client, url(1, "production"), cause="other", reason="no")
    assert response.status_code == 422
    assert "Say why, in at least 10 characters." in text_of(response)
    assert statuses(raisin) == [(1, "archived"), (2, "production")]


def test_it_records_who_why_and_the_gates(raisin: Endpoint, alex: User, browse: Browse) -> None:
    decide(browse(alex), url(2, "production"))
    change = StatusChange.objects.get(version__number=2, verb="promote")
    assert (change.actor_name, change.reason) == ("alex", REASON)
    assert {"smoke", "schema", "convergence", "metric"} <= {gate["code"] for gate in change.gates}
    assert REASON in text_of(browse(alex).get("/endpoints/raisin/versions/"))


@pytest.mark.parametrize("reason", ["", "too short", "          "])
def test_it_refuses_a_missing_reason(
    reason: str, raisin: Endpoint, alex: User, browse: Browse
) -> None:
    response = decide(browse(alex), url(2, "production"), reason=reason)
    assert response.status_code == 422
    assert "Say why, in at least 10 characters." in text_of(response)
    assert statuses(raisin) == [(1, "production"), (2, "staging")]
    assert_clean(response)


def test_it_refuses_a_stale_page(raisin: Endpoint, alex: User, browse: Browse) -> None:
    """Somebody promoted v3 while alex was reading about v2."""
    client = browse(alex)
    answers = fill_in(client, url(2, "production"))
    cast.registered_version(raisin, status="production", lambda_=0.1)
    response = client.post(url(2, "production"), answers, follow=True)
    said = text_of(response)
    assert response.status_code == 409
    assert "Production became v3 at 12:00:00 (dana) while you were reading. Review again." in said
    assert statuses(raisin) == [(1, "archived"), (2, "staging"), (3, "production")]


def test_it_refuses_when_the_version_itself_has_moved(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    client = browse(alex)
    answers = fill_in(client, url(2, "testing"))
    version = raisin.versions.get(number=2)
    decision = Decision(actor=cast.SYSTEM, now=cast.THEN + timedelta(hours=5), reason=REASON)
    lifecycle.archive(version=version, decision=decision)
    response = client.post(url(2, "testing"), answers, follow=True)
    said = text_of(response)
    assert response.status_code == 409
    assert "v2 is in the archive now, since 14:00:00 (dana) while you were reading." in said
    assert f"What you wrote {REASON}" in said
    assert statuses(raisin)[1] == (2, "archived")


def test_a_second_submit_reports_and_changes_nothing(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    client = browse(alex)
    answers = fill_in(client, url(2, "production"))
    client.post(url(2, "production"), answers)
    changes = StatusChange.objects.count()
    response = client.post(url(2, "production"), answers, follow=True)
    assert "v2 is live since" in text_of(response)
    assert StatusChange.objects.count() == changes


def test_the_page_of_a_change_that_is_done_says_so(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    response = browse(alex).get(url(1, "production"))
    assert "Nothing to decide: v1 is in production already." in text_of(response)


def break_artifact(version: AlgorithmVersion) -> None:
    path = artifacts.folder(version) / "weights.npz"
    path.write_bytes(path.read_bytes()[:-1])


def test_a_failed_gate_blocks(raisin: Endpoint, alex: User, browse: Browse) -> None:
    break_artifact(raisin.versions.get(number=2))
    client = browse(alex)
    page = client.get(url(2, "production"))
    assert 'aria-disabled="true"' in page.content.decode()
    assert "The gate “Artefact reload” failed." in text_of(page)
    response = decide(client, url(2, "production"))
    assert "The artefact cannot be used" in text_of(response)
    assert statuses(raisin) == [(1, "production"), (2, "staging")]


def test_a_failed_gate_warns_where_the_policy_is_to_warn(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    Endpoint.objects.filter(pk=raisin.pk).update(gate_policy="warn", metric_tolerance=0)
    cast.registered_version(raisin, status="staging", solver="gd")
    page = browse(alex).get(url(3, "production"))
    assert "Fail" in text_of(page)
    assert 'aria-disabled="true"' not in page.content.decode()
    decide(browse(alex), url(3, "production"))
    assert statuses(raisin)[2] == (3, "production")


def test_it_refuses_who_may_not(raisin: Endpoint, dana: User, browse: Browse) -> None:
    client = browse(dana)
    page = client.get(url(2, "production"))
    assert "endpoints.promote_version" in page.content.decode()
    assert "Promote v2 to production</button>" not in page.content.decode()
    answers = {"to": "production", "seen_status": "staging", "expected_production": "1"}
    response = client.post(url(2, "production"), answers | {"reason": REASON})
    assert response.status_code == 403
    assert statuses(raisin) == [(1, "production"), (2, "staging")]


def test_it_refuses_to_report_to_who_may_not(raisin: Endpoint, eve: User, browse: Browse) -> None:
    assert browse(eve).post(url(1, "production"), {"to": "production"}).status_code == 403
    type(raisin.versions.get(number=2)).objects.filter(number=2).update(**{"status": "ab_testing"})
    assert browse(eve).post(url(2, "ab_testing"), {"to": "ab_testing"}).status_code == 403


def test_a_verb_tells_moves_with_one_target_apart(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    client = browse(alex)
    for verb in ("withdraw", "reject"):
        decide(client, f"{url(2, 'testing')}&verb={verb}")
        assert StatusChange.objects.filter(version__number=2).first().verb == verb  # type: ignore[union-attr]
        decide(client, url(2, "staging"))


def test_a_move_from_another_status_says_where_it_starts(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    response = browse(alex).get(f"{url(2, 'production')}&verb=roll_back")
    assert response.status_code == 409
    assert "v2 is in staging; “roll back” starts from archived." in text_of(response)


def test_a_person_who_may_only_roll_back_can_do_it_and_submit_twice(
    raisin: Endpoint, alex: User, eve: User, browse: Browse
) -> None:
    decide(browse(alex), url(2, "production"))
    client = browse(may(eve, "rollback_endpoint"))
    answers = fill_in(client, url(1, "production"), cause="Slower than before")
    said = [text_of(client.post(url(1, "production"), answers, follow=True)) for _ in range(2)]
    assert all("v1 is live since" in text for text in said)
    assert StatusChange.objects.filter(verb="roll_back").count() == 1


@pytest.mark.parametrize("to", ["", "nowhere", "ab_testing", "production"])
def test_it_refuses_a_way_that_does_not_exist(
    to: str, raisin: Endpoint, alex: User, browse: Browse
) -> None:
    version = cast.registered_version(raisin, lambda_=0.1)
    response = browse(alex).get(url(version.number, to))
    assert response.status_code == 409
    assert "v3 is in testing; there is no way from there to" in text_of(response)


def test_an_archived_version_that_is_no_rollback_target_needs_a_restore(
    raisin: Endpoint, alex: User, browse: Browse
) -> None:
    client = browse(alex)
    decide(client, url(2, "archived"))
    response = client.get(url(2, "production"))
    assert response.status_code == 409
    assert "restore it to testing, stage and promote it" in text_of(response)

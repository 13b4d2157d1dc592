"""Planning a test on its pages: what the form asks, what it says is wrong, and how long it would take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from dashboard.presenters import abtest_plan
from endpoints.models import ABTest, Endpoint, Event
from endpoints.services.abtests import sizing
from tests import cast
from tests.dashboard import tested
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, text_of
from tests.endpoints import grains

NEW = "/endpoints/raisin/tests/new/"
PLAN: dict[str, Any] = {
    "challenger": "2",
    "title": "",
    "kind": "split",
    "challenger_share": "20",
    "metric": "accuracy",
    "minimum_effect": "0.03",
    "horizon": "",
    "most_days": "",
    "looks": "any_time",
    "minimum_labels": "100",
    "margin": "0",
    "alpha": "0.05",
    "maturation_hours": "0",
    "cost_fp": "1",
    "cost_fn": "1",
    "latency_limit_ms": "",
    "error_margin": "0.01",
    "brier_margin": "",
}


def test_it_works(raisin: Endpoint, dana: User, browse: Browse) -> None:
    client = browse(dana)
    form = client.get(NEW)
    assert_clean(form)
    response = client.post(NEW, PLAN, follow=True)
    test = ABTest.objects.get()
    assert (test.title, test.kind, test.state) == ("v2 against v1", "split", "draft")
    assert test.phases.get().challenger_share == 2_000
    assert (test.error_margin, test.brier_margin) == (0.01, None)
    said = text_of(response)
    assert "The plan is kept." in said
    assert "Split test, 20 % to B: each unit is answered by A or by B" in said
    assert f"at {test.horizon:,} labels per arm" in said
    assert_clean(response)


def test_the_sample_size_is_shown_and_nothing_is_kept(
    raisin: Endpoint, dana: User, browse: Browse
) -> None:
    response = browse(dana).post(NEW, PLAN | {"show": "size"})
    planned = ABTest(
        endpoint=raisin,
        challenger=raisin.versions.get(number=2),
        kind="split",
        minimum_effect=0.03,
        horizon=None,
    )
    found = sizing.size(planned, raisin, timezone.now(), challenger_share=2_000)
    assert found.labels_needed is not None
    assert f"Labels per arm {found.labels_needed:,} to find 3 pp" in text_of(response)
    assert not ABTest.objects.exists()
    assert_clean(response)


def test_a_larger_difference_needs_fewer_labels(
    raisin: Endpoint, dana: User, browse: Browse
) -> None:
    def labels(effect: str) -> int:
        asked = PLAN | {"show": "size", "minimum_effect": effect}
        (card, *_) = browse(dana).post(NEW, asked).context["size"]
        return int(str(card.value).replace(",", ""))

    assert labels("0.05") < labels("0.02")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("challenger", "1", "Select a valid choice"),
        ("challenger_share", "100", "less than or equal to 99.99"),
        ("minimum_effect", "nan", "Enter a number."),
        ("minimum_effect", "1.5", "It is a share"),
        ("horizon", "60", "It ends before the 100 labels"),
        ("minimum_labels", "10", "greater than or equal to 50"),
        ("alpha", "0.9", "less than or equal to 0.5"),
        ("margin", "2", "It is a share"),
        ("margin", "0.03", "Give less than the smallest difference to find"),
        ("title", "\u200b", "Give it a title that can be seen."),
        ("cost_fn", "1e300", "Give a number from 0 to 1,000,000,000."),
        ("cost_fp", "1e300", "Give a number from 0 to 1,000,000,000."),
        ("minimum_effect", "0.0001", "To find 0.0001 takes "),
        ("horizon", "99999999999999999999", "less than or equal to 100000000"),
        ("minimum_labels", "99999999999999999999", "less than or equal to 100000000"),
        ("error_margin", "7", "Give 1 at most."),
        ("most_days", "0", "greater than or equal to 1"),
    ],
)
def test_it_says_beside_the_field_what_is_wrong(
    field: str,
    value: str,
    said: str,
    raisin: Endpoint,
    dana: User,
    browse: Browse,
) -> None:
    for button in ({}, {"show": "size"}):
        response = browse(dana).post(NEW, PLAN | button | {field: value})
        assert response.status_code in (400, 422)
        assert said in " ".join(map(str, response.context["form"].errors[field]))
        assert f'aria-describedby="id_{field}' in response.content.decode()
        assert not ABTest.objects.exists()
        assert_clean(response)


def test_a_horizon_that_was_worked_out_follows_the_plan(
    raisin: Endpoint, dana: User, browse: Browse
) -> None:
    client = browse(dana)
    client.post(NEW, PLAN)
    test = ABTest.objects.get()
    before = test.horizon
    address = f"/tests/{test.pk}/edit/"
    changed = PLAN | {"minimum_effect": "0.05"}
    assert client.post(address, changed | {"horizon": str(before)}).status_code == 302
    test.refresh_from_db()
    assert test.horizon < before
    client.post(address, changed | {"horizon": "700", "alpha": "0.01"})
    client.post(address, changed | {"horizon": "700"})
    test.refresh_from_db()
    assert (test.horizon, test.alpha) == (700, 0.05)


def test_what_is_wrong_in_a_folded_part_is_unfolded(
    raisin: Endpoint, dana: User, browse: Browse
) -> None:
    for wrong in ({"alpha": "0.9"}, {"error_margin": "7"}):
        page = browse(dana).post(NEW, PLAN | wrong).content.decode()
        assert page.count("<details") - page.count("<details class") == 0
        assert page.count(" open><summary>") == 1


def test_three_classes_have_no_f1(dana: User, browse: Browse) -> None:
    grains.version(grains.endpoint(), status="staging", lambda_=0.001)
    address = "/endpoints/grains/tests/new/"
    response = browse(dana).post(address, PLAN | {"metric": "f1"})
    assert "F1 needs two classes; v2 has 3." in text_of(response)
    assert browse(dana).post(address, PLAN).status_code == 302


def test_without_a_version_there_is_nothing_to_plan(dana: User, browse: Browse) -> None:
    cast.an_endpoint("bare")
    response = browse(dana).get("/endpoints/bare/tests/new/")
    assert "No version to test" in text_of(response)
    assert_clean(response)


def test_a_draft_is_changed(raisin: Endpoint, dana: User, browse: Browse) -> None:
    client = browse(dana)
    client.post(NEW, PLAN)
    test = ABTest.objects.get()
    address = f"/tests/{test.pk}/edit/"
    form = client.get(address)
    assert form.context["form"]["challenger_share"].value() == 20
    assert_clean(form)
    changed = PLAN | {"title": "Autumn", "challenger_share": "10", "horizon": "900"}
    said = text_of(client.post(address, changed, follow=True))
    test.refresh_from_db()
    assert (test.title, test.horizon) == ("Autumn", 900)
    assert test.phases.get().challenger_share == 1_000
    assert "The plan is changed." in said
    assert Event.objects.filter(verb="change_abtest", actor_name="dana").exists()


def test_a_draft_is_deleted_after_a_question(raisin: Endpoint, dana: User, browse: Browse) -> None:
    client = browse(dana)
    client.post(NEW, PLAN)
    address = f"/tests/{ABTest.objects.get().pk}/delete/"
    assert "This cannot be undone." in text_of(client.get(address))
    assert ABTest.objects.exists()
    said = text_of(client.post(address, follow=True))
    assert "The draft “v2 against v1” is deleted." in said
    assert not ABTest.objects.exists()


def test_a_test_that_runs_keeps_its_plan(raisin: Endpoint, dana: User, browse: Browse) -> None:
    test = tested.split_test(raisin)
    for what in ("edit", "delete"):
        response = browse(dana).post(
            f"/tests/{test.pk}/{what}/", PLAN | {"title": "other"}, follow=True
        )
        assert response.redirect_chain
        kept = ABTest.objects.get()
        assert (kept.title, kept.state) == ("v1 or v2", "running")


def test_the_version_of_a_link_is_chosen(raisin: Endpoint, dana: User, browse: Browse) -> None:
    cast.registered_version(raisin)
    shown = browse(dana).get(NEW, {"challenger": "3"}).content.decode()
    assert '<option value="3" selected>v3, in testing' in shown
    assert shown.index("v2, in staging") < shown.index("v3, in testing")


def test_who_may_not_plan_gets_no_form(raisin: Endpoint, eve: User, browse: Browse) -> None:
    assert browse(eve).get(NEW).status_code == 403
    assert browse(eve).post(NEW, PLAN).status_code == 403
    assert not ABTest.objects.exists()


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (0.4, "at less than 1 label a day"),
        (1.2, "at 1 label a day"),
        (1.6, "at 2 labels a day"),
        (1_234.5, "at 1,234 labels a day"),
        (None, "nobody can say without labels"),
    ],
)
def test_a_rate_is_said_in_words_that_fit(rate: float | None, said: str, raisin: Endpoint) -> None:
    planned = ABTest(endpoint=raisin, challenger=raisin.versions.get(number=2), horizon=400)
    found = sizing.size(planned, raisin, timezone.now(), challenger_share=5_000)
    days = abtest_plan.size(planned, replace(found, labels_per_day=rate))[2]
    assert (days.title, days.note) == ("Days", said)

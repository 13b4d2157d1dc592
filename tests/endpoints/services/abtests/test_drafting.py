"""Plans are kept, changed and deleted until they start; what is wrong is said field by field."""

from __future__ import annotations

import math
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User

from endpoints.errors import Conflict, InvalidRequest, InvalidTransition, NotAllowed, NotFound
from endpoints.models import ABTest, Endpoint, Event, Status
from endpoints.services import lifecycle
from endpoints.services.abtests import drafting, sizing, starting, stopping
from endpoints.services.abtests.stopping import Stop
from endpoints.services.access import Caller, Need
from tests import cast
from tests.endpoints import grains
from tests.endpoints.services.abtests.planned import ALEX, REASON, a_draft, a_test, challenger
from tests.endpoints.services.decisions import NOON, decision

pytestmark = pytest.mark.django_db


def configured(test: ABTest, **settings: Any) -> bool:
    return drafting.configure(test, settings, actor=ALEX, now=NOON)


def columns(error: InvalidRequest) -> list[str | None]:
    return [cell.column for cell in error.cells]


def test_it_works(raisin: Endpoint) -> None:
    test = ABTest.objects.get(pk=a_draft(raisin, share=1_000).pk)
    assert (test.state, test.control, test.challenger.number) == ("draft", None, 2)
    assert (test.created_by_name, test.created_at, len(test.salt)) == ("alex", NOON, 32)
    assert test.phases.get().challenger_share == 1_000
    assert not test.phases.get().arms.exists()


def test_it_records_the_plan(raisin: Endpoint) -> None:
    a_draft(raisin, share=1_000, margin=0.01)
    event = Event.objects.get(verb="create_abtest")
    assert (event.subject, event.endpoint, event.actor_name) == (
        "A/B test “v1 or v2”",
        raisin,
        "alex",
    )
    assert event.after is not None
    assert (event.after["challenger"], event.after["margin"]) == (2, 0.01)
    assert (event.after["horizon"], event.after["challenger_share"]) == (1_000, 1_000)


def test_a_long_title_is_cut_on_the_record(raisin: Endpoint) -> None:
    a_draft(raisin, title="x" * 200)
    subject = Event.objects.get(verb="create_abtest").subject
    assert subject == f"A/B test “{'x' * 188}…”"


def test_no_two_drafts_divide_the_units_alike(raisin: Endpoint) -> None:
    assert a_draft(raisin).salt != a_draft(raisin).salt


def test_a_draft_cannot_begin_as_something_else(raisin: Endpoint) -> None:
    version = raisin.versions.get(number=1)
    test = a_draft(raisin, state="running", control=version, started_at=NOON)
    assert (test.state, test.control) == ("draft", None)


def test_without_a_horizon_it_gets_the_one_that_finds_the_effect(raisin: Endpoint) -> None:
    test = a_draft(raisin, horizon=None, kind="split", share=2_000, minimum_effect=0.05)
    even = a_draft(raisin, horizon=None, kind="split", minimum_effect=0.05)
    expected = sizing.size(test, raisin, NOON, challenger_share=2_000).labels_needed
    assert test.horizon == expected != even.horizon


def test_where_nothing_tells_the_accuracy_it_is_taken_for_four_fifths(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizing, "size", lambda *_, **__: sizing.Size())
    assert a_draft(raisin, horizon=None, minimum_effect=0.05).horizon == 1_740
    assert a_draft(raisin, horizon=None, minimum_effect=0.9, minimum_labels=77).horizon == 77


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", " "),
        ("title", "two\nlines"),
        ("title", "x" * 201),
        ("kind", "lottery"),
        ("metric", "auc"),
        ("looks", "never"),
        ("cost_fp", -1.0),
        ("title", "\u200b\u200d"),
        ("title", "\u3164 \u2800\ufe0f"),
        ("cost_fp", math.inf),
        ("cost_fp", 1e300),
        ("cost_fp", 1.1e9),
        ("cost_fn", 1e300),
        ("cost_fn", math.nan),
        ("margin", math.nan),
        ("margin", -0.1),
        ("margin", 1.0),
        ("margin", 0.02),
        ("margin", 1e300),
        ("minimum_effect", 1e300),
        ("minimum_effect", 0.0),
        ("minimum_effect", math.nan),
        ("minimum_effect", 1.0),
        ("alpha", 0.6),
        ("alpha", math.nan),
        ("minimum_labels", 49),
        ("minimum_labels", 10**9),
        ("horizon", 49),
        ("horizon", 99),
        ("horizon", 10**9),
        ("most_days", 0),
        ("most_days", 10**6),
        ("maturation_hours", 10**6),
        ("latency_limit_ms", 0.0),
        ("latency_limit_ms", math.inf),
        ("error_margin", 1.5),
        ("error_margin", math.nan),
        ("brier_margin", 2.5),
        ("challenger_share", 0),
        ("challenger_share", 10_000),
        ("challenger_share", 0.5),
        ("challenger_share", True),
    ],
)
def test_it_names_the_field_that_is_wrong(raisin: Endpoint, field: str, value: Any) -> None:
    draft = a_draft(raisin)
    with pytest.raises(InvalidRequest, match=field) as caught:
        configured(draft, **{field: value})
    assert columns(caught.value) == [field]
    kept = ABTest.objects.get()
    assert getattr(kept, field, 5_000) != value
    with pytest.raises(InvalidRequest, match=field):
        a_draft(raisin, **{"share" if field == "challenger_share" else field: value})
    assert ABTest.objects.count() == 1


def test_it_names_all_of_them_at_once(raisin: Endpoint) -> None:
    with pytest.raises(InvalidRequest) as caught:
        configured(a_draft(raisin), title="", alpha=7.0)
    assert columns(caught.value) == ["title", "alpha"]


@pytest.mark.parametrize("hours", [720, 1_000])
def test_the_log_keeps_requests_until_they_count(
    raisin: Endpoint, settings: LazySettings, hours: int
) -> None:
    draft = a_draft(raisin)
    settings.RAISIN_LOG_DAYS = 30
    said = rf"for 30 days \(RAISIN_LOG_DAYS\), .* {hours:,} hours: give less than 720\."
    with pytest.raises(InvalidRequest, match=said) as caught:
        configured(draft, maturation_hours=hours)
    assert columns(caught.value) == ["maturation_hours"]
    assert configured(draft, maturation_hours=719)


def test_a_log_that_is_kept_for_good_outlives_any_hours(raisin: Endpoint) -> None:
    assert a_draft(raisin, maturation_hours=1_000).maturation_hours == 1_000


def test_a_title_need_not_be_latin(raisin: Endpoint) -> None:
    for title in ("ブドウ", "\u200bv2", "✓", "!"):
        assert a_draft(raisin, title=title).title == title


def test_a_margin_is_below_the_effect(raisin: Endpoint) -> None:
    draft = a_draft(raisin, margin=0.019)
    with pytest.raises(InvalidRequest, match=r"\(minimum_effect\), which is 0.019") as caught:
        configured(draft, minimum_effect=0.019)
    assert columns(caught.value) == ["margin"]


@pytest.mark.parametrize("metric", ["accuracy", "f1", "expected_cost"])
def test_the_largest_costs_can_be_planned_with(raisin: Endpoint, metric: str) -> None:
    costs = {"metric": metric, "cost_fp": 1e9, "cost_fn": 1e9}
    effect = 1e8 if metric == "expected_cost" else 0.05
    assert a_draft(raisin, **costs, horizon=None, minimum_effect=effect).horizon >= 100


@pytest.mark.parametrize("is_known", [True, False])
def test_an_effect_that_takes_too_many_labels_is_named(
    raisin: Endpoint, monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    if not is_known:
        monkeypatch.setattr(sizing, "size", lambda *_, **__: sizing.Size())
    draft, tiny = a_draft(raisin), {"minimum_effect": 0.0001, "horizon": None}
    for keep in (lambda: a_draft(raisin, **tiny), lambda: configured(draft, **tiny)):
        with pytest.raises(
            InvalidRequest, match="To find 0.0001 takes [0-9,]{11,} labels"
        ) as caught:
            keep()
        assert columns(caught.value) == ["minimum_effect"]
    assert ABTest.objects.get().minimum_effect == 0.02
    assert a_draft(raisin, **tiny | {"horizon": 5_000}).horizon == 5_000


@pytest.mark.parametrize(
    "change",
    [
        {"minimum_effect": 0.05},
        {"alpha": 0.01},
        {"kind": "split"},
        {"metric": "f1"},
        {"looks": "at_horizon"},
        {"minimum_labels": 100_000},
    ],
)
def test_a_horizon_that_was_worked_out_follows(raisin: Endpoint, change: dict[str, Any]) -> None:
    draft = a_draft(raisin, horizon=None)
    before = draft.horizon
    assert configured(draft, **change)
    assert draft.horizon == a_draft(raisin, **{"horizon": None} | change).horizon != before
    event = Event.objects.get(verb="change_abtest")
    assert event.after is not None
    assert event.after["horizon"] == draft.horizon


def test_it_follows_the_share(raisin: Endpoint) -> None:
    draft = a_draft(raisin, horizon=None, kind="split")
    assert configured(draft, challenger_share=2_000)
    assert draft.horizon == a_draft(raisin, horizon=None, kind="split", share=2_000).horizon
    assert draft.phases.get().challenger_share == 2_000


def test_a_horizon_of_ones_own_stays(raisin: Endpoint) -> None:
    own, found = a_draft(raisin, horizon=1_234), a_draft(raisin, horizon=None)
    before = found.horizon
    configured(own, minimum_effect=0.05)
    configured(found, minimum_effect=0.05, horizon=before)
    assert (own.horizon, found.horizon) == (1_234, before)
    configured(a_draft(raisin, horizon=None), title="later")
    assert ABTest.objects.get(title="later").horizon == before


def test_errors_must_cost_something(raisin: Endpoint) -> None:
    with pytest.raises(InvalidRequest) as caught:
        a_draft(raisin, metric="expected_cost", cost_fp=0.0, cost_fn=0.0)
    assert columns(caught.value) == ["cost_fp"]
    assert a_draft(raisin, metric="accuracy", cost_fp=0.0, cost_fn=0.0).pk


def test_a_difference_of_costs_is_below_the_larger_one(raisin: Endpoint) -> None:
    costs = {"metric": "expected_cost", "cost_fp": 1.0, "cost_fn": 5.0}
    assert a_draft(raisin, **costs, minimum_effect=4.9, margin=2.0).minimum_effect == 4.9
    with pytest.raises(InvalidRequest) as caught:
        a_draft(raisin, **costs, minimum_effect=5.0)
    assert columns(caught.value) == ["minimum_effect"]


@pytest.mark.parametrize("metric", ["f1", "expected_cost"])
def test_metrics_of_a_positive_class_need_two_classes(metric: str) -> None:
    endpoint = grains.endpoint()
    version = cast.registered_version(endpoint, run=grains.run())
    plan = {"endpoint": endpoint, "challenger": version, "title": "three", "horizon": 1_000}
    assert drafting.create(ABTest(**plan), actor=ALEX, now=NOON).pk
    with pytest.raises(InvalidRequest, match="needs two classes; v2 has 3") as caught:
        drafting.create(ABTest(**plan, metric=metric), actor=ALEX, now=NOON)
    assert columns(caught.value) == ["metric"]


def test_classes_that_nobody_knows_are_not_two(raisin: Endpoint) -> None:
    version = cast.registered_version(raisin, lambda_=0.3)
    (cast.folder_of(version.run) / "model" / "weights.npz").write_bytes(b"")
    with pytest.raises(InvalidRequest, match="Of F1 the classes must be known.") as caught:
        a_draft(raisin, challenger=version, metric="f1")
    assert columns(caught.value) == ["metric"]


def test_it_refuses_a_challenger_of_another_endpoint(raisin: Endpoint) -> None:
    other = cast.registered_version(cast.an_endpoint("other"))
    with pytest.raises(InvalidRequest, match="a version of “raisin”") as caught:
        a_draft(raisin, challenger=other)
    assert columns(caught.value) == ["challenger"]


@pytest.mark.parametrize("status", ["production", "archived"])
def test_it_refuses_a_challenger_that_can_be_none(raisin: Endpoint, status: str) -> None:
    version = raisin.versions.get(number=1)
    if status == "archived":
        lifecycle.archive(version=version, decision=decision())
    version.refresh_from_db()
    with pytest.raises(InvalidRequest, match=f"v1 is in {version.status_word}: choose one in"):
        a_draft(raisin, challenger=version)


def test_a_draft_is_changed(raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    assert configured(draft, title="later", alpha=0.01, challenger_share=2_500)
    kept = ABTest.objects.get()
    assert (kept.title, kept.alpha, kept.phases.get().challenger_share) == ("later", 0.01, 2_500)
    assert draft.title == "later"
    event = Event.objects.get(verb="change_abtest")
    assert event.before == {"title": "v1 or v2", "alpha": 0.05, "challenger_share": 5_000}
    assert event.after == {"title": "later", "alpha": 0.01, "challenger_share": 2_500}


def test_the_share_alone_is_changed(raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    assert configured(draft, challenger_share=2_500)
    assert draft.phases.get().challenger_share == 2_500
    assert Event.objects.get(verb="change_abtest").after == {"challenger_share": 2_500}


def test_an_emptied_horizon_is_worked_out_again(raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    assert configured(draft, horizon=None, minimum_effect=0.05)
    assert draft.horizon == sizing.size(draft, raisin, NOON).labels_needed


def test_nothing_new_leaves_no_trace(raisin: Endpoint) -> None:
    assert not configured(a_draft(raisin), title="v1 or v2", challenger_share=5_000)
    assert not Event.objects.filter(verb="change_abtest").exists()


def test_what_somebody_else_has_changed_meanwhile_stays(raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    configured(ABTest.objects.get(), alpha=0.01)
    configured(draft, title="later")
    kept = ABTest.objects.get()
    assert (kept.title, kept.alpha) == ("later", 0.01)


@pytest.mark.parametrize("name", ["state", "salt", "control", "conclusion", "nonsense"])
def test_it_refuses_what_is_no_setting(raisin: Endpoint, name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"“{name}” is no setting"):
        configured(a_draft(raisin), **{name: "running"})


def test_a_test_that_runs_cannot_be_changed_or_deleted(raisin: Endpoint) -> None:
    test = a_test(raisin)
    with pytest.raises(Conflict, match="has been running since .*alex.*its plan is fixed"):
        configured(test, title="later")
    with pytest.raises(Conflict, match="its plan is fixed"):
        drafting.remove(test, actor=ALEX, now=NOON)
    assert ABTest.objects.get().title == "v1 or v2"


def test_a_stopped_test_cannot_be_changed_or_deleted(raisin: Endpoint) -> None:
    test = a_test(raisin)
    stopping.stop(test, Stop(conclusion="inconclusive", reason=REASON), actor=ALEX, now=NOON)
    with pytest.raises(Conflict, match=r"was stopped at .* \(alex\)"):
        configured(test, title="later")
    with pytest.raises(Conflict, match="was stopped"):
        drafting.remove(test, actor=ALEX, now=NOON)
    with pytest.raises(Conflict, match="was stopped"):
        starting.start(test, actor=ALEX, now=NOON)
    assert ABTest.objects.get().title == "v1 or v2"


def test_a_draft_is_deleted_on_the_record(raisin: Endpoint) -> None:
    drafting.remove(a_draft(raisin, margin=0.01), actor=ALEX, now=NOON)
    assert not ABTest.objects.exists()
    event = Event.objects.get(verb="delete_abtest")
    assert event.before is not None
    assert event.before["margin"] == 0.01


def test_a_draft_that_is_gone_is_not_found(raisin: Endpoint) -> None:
    draft = a_draft(raisin)
    ABTest.objects.all().delete()
    with pytest.raises(NotFound, match="There is no A/B test"):
        configured(draft, title="later")


def test_a_scientist_plans_and_a_viewer_does_not(raisin: Endpoint, dana: User, eve: User) -> None:
    facts = {"endpoint": raisin, "challenger": challenger(raisin), "title": "mine", "horizon": 99}
    test = ABTest(**facts | {"minimum_labels": 50})
    drafting.create(test, actor=Caller(user=dana), now=NOON)
    assert (test.created_by, test.created_by_name) == (dana, "dana")
    nobody = {"actor": Caller(user=eve), "now": NOON}
    for act in (
        lambda: drafting.create(ABTest(**facts), **nobody),
        lambda: drafting.configure(test, {"title": "yours"}, **nobody),
        lambda: drafting.remove(test, **nobody),
    ):
        with pytest.raises(NotAllowed, match="add_abtest"):
            act()


def test_a_test_is_found_by_who_may(raisin: Endpoint, eve: User) -> None:
    draft, viewer = a_draft(raisin), Caller(user=eve)
    assert drafting.find(draft.pk, caller=viewer) == draft
    with pytest.raises(NotAllowed, match="add_abtest"):
        drafting.find(draft.pk, caller=viewer, need=Need.DRAFT_TEST)
    Endpoint.objects.update(members_only=True)
    with pytest.raises(NotFound, match=f"There is no A/B test {draft.pk}"):
        drafting.find(draft.pk, caller=viewer)


@pytest.mark.parametrize("pk", [0, -1, 12_345, 2**63, 10**40])
def test_other_numbers_find_nothing(raisin: Endpoint, pk: int) -> None:
    a_draft(raisin)
    with pytest.raises(NotFound, match="There is no A/B test"):
        drafting.find(pk, caller=ALEX)


def classic(endpoint: Endpoint, first: int, second: int, **facts: Any) -> ABTest:
    one, other = (endpoint.versions.get(number=number) for number in (first, second))
    given = {"title": "old and new", "actor": ALEX, "now": NOON} | facts
    return drafting.classic(endpoint, one, other, **given)


@pytest.mark.parametrize("pair", [(1, 2), (2, 1)])
def test_the_classic_test_runs_half_and_half(raisin: Endpoint, pair: tuple[int, int]) -> None:
    test = classic(raisin, *pair)
    assert (test.state, test.kind, test.metric, test.title) == (
        "running", "split", "accuracy", "old and new",
    )  # fmt: skip
    assert test.control is not None
    assert (test.control.number, test.challenger.number) == (1, 2)
    assert test.phases.get().challenger_share == 5_000
    assert test.horizon == sizing.size(test, raisin, NOON).labels_needed


def test_the_classic_test_stages_its_challenger(raisin: Endpoint) -> None:
    lifecycle.withdraw(version=challenger(raisin), decision=decision())
    classic(raisin, 1, 2)
    verbs = challenger(raisin).status_changes.order_by("-id").values_list("verb", flat=True)
    assert list(verbs[:2]) == ["start_test", "stage"]


def test_a_classic_test_that_cannot_start_leaves_nothing(raisin: Endpoint) -> None:
    lifecycle.withdraw(version=challenger(raisin), decision=decision())
    a_test(raisin, challenger=staged(raisin))
    with pytest.raises(Conflict, match="Stop it first"):
        classic(raisin, 1, 2)
    assert challenger(raisin).status == Status.TESTING
    assert ABTest.objects.count() == 1


def staged(endpoint: Endpoint) -> Any:
    return cast.registered_version(endpoint, status=Status.STAGING)


@pytest.mark.parametrize("pair", [(1, 1), (2, 2), (2, 3)])
def test_the_classic_test_needs_the_version_in_production_and_another(
    raisin: Endpoint, pair: tuple[int, int]
) -> None:
    staged(raisin)
    with pytest.raises(InvalidTransition, match="a test compares the version in production with"):
        classic(raisin, *pair)


def test_the_classic_test_needs_versions_of_one_endpoint(raisin: Endpoint) -> None:
    other = cast.registered_version(cast.an_endpoint("other"))
    with pytest.raises(InvalidRequest, match="two versions of one endpoint, “raisin”"):
        drafting.classic(
            raisin, raisin.versions.get(number=1), other, title="x", actor=ALEX, now=NOON
        )


def test_a_scientist_cannot_start_a_classic_test(raisin: Endpoint, dana: User) -> None:
    with pytest.raises(NotAllowed, match="promote_version"):
        classic(raisin, 1, 2, actor=Caller(user=dana))
    assert not ABTest.objects.exists()

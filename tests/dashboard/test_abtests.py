"""The page of a test: exactly one banner, numbers that are those of the summary, nothing too early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard import formats
from dashboard.presenters.abtest_plan import Unit
from endpoints.models import ABArm, ABTest, ABTraffic, AlgorithmVersion, Endpoint
from endpoints.services.abtests import analysis, starting, stopping, summary
from endpoints.services.abtests.stopping import Stop
from tests import cast
from tests.dashboard import tested
from tests.dashboard.conftest import Browse
from tests.dashboard.pages import assert_clean, read, text_of
from tests.endpoints.services.abtests import trial

TESTS = "/endpoints/raisin/tests/"
TITLES = (
    "Keep running",
    "B is better: ready to decide",
    "A is better",
    "No useful difference",
    "Inconclusive",
    "Stop: B breaks the limit of",
    "Do not trust this test",
)
MOST_QUERIES = 16


def page_of(test: ABTest) -> str:
    return f"/tests/{test.pk}/"


def banners(response: HttpResponse) -> list[str]:
    said = response.content.decode()
    return [title for title in TITLES if f'<p class="notice-title">{title}' in said]


def alike(endpoint: Endpoint, **plan: Any) -> ABTest:
    return tested.split_test(
        endpoint, right=(3_600, 3_606), labels=(4_000, 4_000), units=(5_000, 5_003), **plan
    )


STATES: dict[str, Callable[[Endpoint], ABTest]] = {
    "Keep running": tested.split_test,
    "B is better: ready to decide": lambda it: tested.split_test(it, right=(840, 900)),
    "A is better": lambda it: tested.split_test(it, right=(900, 840)),
    "No useful difference": lambda it: alike(it, margin=0.03, minimum_effect=0.1),
    "Inconclusive": alike,
    "Stop: B breaks the limit of": lambda it: tested.split_test(
        it, right=(840, 900), errors=(2, 80), latency_limit_ms=1.2
    ),
    "Do not trust this test": lambda it: tested.split_test(
        it, right=(840, 900), errors=(2, 80), units=(5_310, 4_690), labels=(1_000, 990)
    ),
}


@pytest.mark.parametrize("title", STATES)
def test_it_works(title: str, raisin: Endpoint, eve: User, browse: Browse) -> None:
    test = STATES[title](raisin)
    tested.looks(test)
    for address in (page_of(test), TESTS):
        response = browse(eve).get(address)
        assert banners(response) == [title]
        assert_clean(response)


def test_it_tells_how_far_it_got(raisin: Endpoint, eve: User, browse: Browse) -> None:
    said = text_of(browse(eve).get(page_of(tested.split_test(raisin))))
    assert "1,000 of 4,000 labels per arm, about 15 days left. It may be decided sooner." in said


def test_it_does_not_say_zero_days(raisin: Endpoint, eve: User, browse: Browse) -> None:
    said = text_of(browse(eve).get(page_of(tested.split_test(raisin, horizon=1_050))))
    assert "1,000 of 1,050 labels per arm, less than a day left." in said


def test_it_says_that_nobody_knows_how_long(raisin: Endpoint, eve: User, browse: Browse) -> None:
    test = tested.split_test(raisin, right=(0, 0), labels=(0, 0), units=(0, 0))
    said = text_of(browse(eve).get(page_of(test)))
    assert "0 of 4,000 labels per arm, no labels have come lately" in said


def test_a_sample_ratio_mismatch_says_what_was_expected_and_why_it_may_be(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    test = tested.split_test(raisin, units=(5_230, 4_770), labels=(1_000, 1_000))
    response = browse(eve).get(page_of(test))
    p = analysis.analyse(test, timezone.now()).statistics.sample_ratio_p  # type: ignore[union-attr]
    assert 0.0001 < p < 0.001  # type: ignore[operator]
    expected = f"p {p:.4f}, below 0.001. Expected 50.0/50.0, got 52.3/47.7 of the units."
    assert expected in text_of(response)
    assert "the unit id is not the same in all requests of a unit" in text_of(response)


def test_doubt_about_labels_and_looks_is_told(raisin: Endpoint, eve: User, browse: Browse) -> None:
    test = tested.split_test(raisin, right=(840, 700), labels=(1_000, 800))
    test.phases.update(low=0.3, high=0.4, p_value=0.001)
    said = text_of(browse(eve).get(page_of(test)))
    assert "83.3 % of A's rows have one, 66.7 % of B's; p <0.0001, below 0.001." in said
    assert "The looks so far contradict one another" in said


def test_nothing_is_shown_before_the_minimum(raisin: Endpoint, eve: User, browse: Browse) -> None:
    test = tested.split_test(raisin, right=(40, 10), labels=(50, 44), units=(850, 900))
    tested.looks(test)
    for address in (page_of(test), TESTS):
        response = browse(eve).get(address)
        said = text_of(response)
        assert "idden until 100 labels per arm, to avoid stopping early" in said
        for telling in ("P(B is better)", " pp", "80.0 %", "look by look"):
            assert telling not in said.split("Guardrails")[0], telling
    response = browse(eve).get(page_of(test))
    assert "44 of 4,000 labels per arm" in text_of(response)
    limits = {limit.name: limit.word for limit in response.context["told"].limits}
    assert limits == {"Error rate": "Kept", "Brier score": "Too few"}


@pytest.mark.parametrize("looks", ["any_time", "at_horizon"])
def test_a_test_that_ends_too_early_does_not_tell_either(
    looks: str, raisin: Endpoint, eve: User, browse: Browse
) -> None:
    test = tested.split_test(
        raisin, right=(40, 10), labels=(50, 44), units=(80, 90), most_days=2, looks=looks
    )
    response = browse(eve).get(page_of(test))
    assert banners(response) == ["Inconclusive"]
    assert "There are 44 of the 100 labels per arm it needs at least." in text_of(response)


@pytest.mark.parametrize("metric", ["accuracy", "f1", "expected_cost"])
@pytest.mark.parametrize("make", [tested.split_test, tested.shadow_test])
def test_its_numbers_are_those_of_the_summary(
    make: Callable[..., ABTest], metric: str, raisin: Endpoint, eve: User, browse: Browse
) -> None:
    test = make(raisin, metric=metric, cost_fn=3.0)
    told = summary.as_dict(analysis.analyse(test, timezone.now()))
    response = browse(eve).get(page_of(test))
    said = text_of(response)
    found, scale, unit = told["result"], 1, ""
    if metric == "accuracy":
        scale, unit = 100, " pp"
    shown = formats.signed(scale * found["difference"], 2 if unit else 3) + unit
    low, high = (
        formats.signed(scale * found["always_valid"][end], 2 if unit else 3) + unit
        for end in ("low", "high")
    )
    assert f"Difference, B less A {shown}" in said
    assert f"{low} to {high} the interval that decides" in said
    assert formats.percent(found["b_better"]).replace("\xa0", " ") in said
    for arm in ("control", "challenger"):
        value = told[arm]["value"]
        assert (f"{100 * value:.1f} %" if unit else f"{value:.3f}") in said
    assert_clean(response)


def test_of_a_cost_less_is_better(raisin: Endpoint, eve: User, browse: Browse) -> None:
    test = tested.shadow_test(raisin, metric="expected_cost", cells=(800, 20, 120, 60))
    drawn = browse(eve).get(page_of(test)).content.decode().split("zero-line")[1]
    assert drawn.index("B is better") < drawn.index("A is better")


def test_a_shadow_test_tells_how_often_both_agree(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    said = text_of(browse(eve).get(page_of(tested.shadow_test(raisin))))
    assert "1,000 of 2,000 labels, about 5 days left" in said
    assert "A and B say the same of 83.3 % of the rows." in said
    assert "McNemar's exact test" in said


def test_a_plan_of_one_look_shows_the_interval_of_that_look(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    test = tested.split_test(raisin, looks="at_horizon")
    said = text_of(browse(eve).get(page_of(test)))
    assert "+0.02 pp to +6.19 pp the interval that decides" in said
    assert "Decided once, at 4,000 labels per arm" in said
    assert "It may be decided sooner" not in said


def test_the_course_is_drawn_up_to_now(raisin: Endpoint, eve: User, browse: Browse) -> None:
    test = tested.split_test(raisin)
    assert browse(eve).get(page_of(test)).context["told"].course is None
    tested.looks(test, 12)
    told = browse(eve).get(page_of(test)).context["told"]
    drawn, total = told.course, told.report.statistics.always_valid
    assert [row.x for row in drawn.rows] == [*(100 + 40 * place for place in range(12)), 1_000]
    assert drawn.rows[0].values == pytest.approx((3.0, 0.0, -7.0, 13.0))
    assert drawn.rows[-1].values == pytest.approx((3.1, 0.0, 100 * total.low, 100 * total.high))


def test_its_links_lead_to_the_requests_of_each_arm_and_to_the_downloads(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    test = tested.split_test(raisin, units=(0, 0), labels=(0, 0), right=(0, 0))
    said = {cast.prediction(raisin, unit=f"u{k}").part.arm.name for k in range(12)}  # type: ignore[union-attr]
    assert said == {"control", "challenger"}
    client = browse(eve)
    links = [link for link in read(client.get(page_of(test))).links if f"abtest={test.pk}" in link]
    found = [len(client.get(link).context["rows"]) for link in links]
    told = client.get(page_of(test)).context["told"].arms
    assert found == [arm.figures.requests for arm in told]
    assert sum(found) == 12
    export = f"/api/v1/abtests/{test.pk}/export"
    assert client.get(export).json()["id"] == test.pk
    assert client.get(f"{export}?format=csv").headers["Content-Type"].startswith("text/csv")


def test_a_shadow_test_links_each_request_once(raisin: Endpoint, eve: User, browse: Browse) -> None:
    test = tested.shadow_test(raisin)
    arms = browse(eve).get(page_of(test)).context["told"].arms
    assert [arm.query for arm in arms] == [f"abtest={test.pk}&arm=control", ""]


def test_a_look_that_is_kept_is_drawn_once(raisin: Endpoint, eve: User, browse: Browse) -> None:
    test = tested.split_test(raisin, right=(400, 420), labels=(500, 500))
    tested.looks(test, 11)
    drawn = browse(eve).get(page_of(test)).context["told"].course
    assert [row.x for row in drawn.rows][-2:] == [460, 500]


@pytest.mark.parametrize(("alpha", "level"), [(0.05, "95 %"), (0.2, "80 %")])
def test_the_interval_of_an_arm_says_how_certain_it_is(
    raisin: Endpoint, eve: User, browse: Browse, alpha: float, level: str
) -> None:
    test = tested.split_test(raisin, alpha=alpha)
    response = browse(eve).get(page_of(test))
    arms = [card.note for card in response.context["told"].cards[:2]]
    assert [note.replace("\u00a0", " ").rpartition(" (")[2] for note in arms] == 2 * [f"{level})"]


def test_a_phase_before_keeps_its_numbers(raisin: Endpoint, eve: User, browse: Browse) -> None:
    test = tested.split_test(raisin)
    tested.looks(test)
    test.phases.update(low=0.001, high=0.04, p_value=0.03)
    starting.change_share(
        test, 2_000, reason="less traffic to B", actor=cast.SYSTEM, now=timezone.now()
    )
    response = browse(eve).get(page_of(test))
    said = text_of(response)
    assert "Split test, 20 % to B" in said
    present = test.phases.get(number=2)
    queries = [parse_qs(arm.query) for arm in response.context["told"].arms]
    assert [query["since"] for query in queries] == 2 * [[present.started_at.isoformat()]]
    assert "1 50.0 % 5 d ago just now 1,000 +3.10 pp, +0.10 pp to +4.00 pp" in said
    assert "hidden until" in said.lower()
    assert_clean(response)


@pytest.mark.parametrize("looks", ["any_time", "at_horizon"])
def test_a_page_tells_of_a_phase_before_what_rest_tells(
    looks: str, raisin: Endpoint, eve: User, browse: Browse
) -> None:
    test = tested.split_test(raisin, looks=looks)
    tested.looks(test)
    test.phases.update(low=0.001, high=0.04, p_value=0.03)
    trial.new_phase(test)
    response = browse(eve).get(page_of(test))
    told = summary.as_dict(response.context["told"].report)["phases"][0]
    [shown] = response.context["phases"]
    unit = Unit(test.metric)
    assert shown.result == (
        f"{unit.difference(told['difference'])}, {unit.span((told['low'], told['high']))}"
    )


@pytest.mark.parametrize(
    ("counts", "kept", "said"),
    [
        ({"right": (40, 10), "labels": (50, 44)}, {}, "too few labels"),
        (
            {},
            {"low": 0.3, "high": 0.1, "p_value": 0.01},
            "+3.10 pp; its looks contradict one another",
        ),
    ],
)
def test_a_phase_before_says_why_it_has_no_interval(
    counts: dict[str, Any],
    kept: dict[str, float],
    said: str,
    raisin: Endpoint,
    eve: User,
    browse: Browse,
) -> None:
    test = tested.split_test(raisin, **counts)
    test.phases.update(**kept)
    trial.new_phase(test)
    assert said in text_of(browse(eve).get(page_of(test)))


def test_a_stopped_test_shows_the_kept_summary_beside_a_recount(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    test = tested.split_test(raisin, right=(840, 900))
    reason = "Better by six points on the harvest."
    stop = Stop(conclusion="b_wins", reason=reason)
    stopping.stop(test, stop, actor=cast.SYSTEM, now=timezone.now())
    tested.count_labels(trial.arms(test)["challenger"], right=930, labels=1_040)
    response = browse(eve).get(page_of(test))
    said = text_of(response)
    assert f"Stopped: B wins dana stopped it just now : {reason}" in said
    assert "Labels of B 1,000 1,040" in said
    assert "Accuracy of B 90.0 % 89.4 %" in said
    assert "Difference, B less A +6.00 pp +5.42 pp" in said
    assert banners(response) == []
    assert "Stop…" not in said
    assert_clean(response)
    assert "B wins" in text_of(browse(eve).get(TESTS))


def test_it_is_refreshed_in_place(raisin: Endpoint, eve: User, browse: Browse) -> None:
    test = tested.split_test(raisin)
    for address in (page_of(test), TESTS):
        part = browse(eve).get(address, headers={"HX-Request": "true"})
        assert "<html" not in part.content.decode()
        assert banners(part) == ["Keep running"]
    trial.stop(test)
    for address in (page_of(test), TESTS):
        gone = browse(eve).get(address, headers={"HX-Request": "true"})
        assert gone.headers["HX-Refresh"] == "true"


def test_a_title_may_be_long_and_holds_no_markup(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    test = tested.split_test(raisin, title=("<b>" + tested.LONG * 3)[:200])
    response = browse(eve).get(page_of(test))
    assert "<b>Does" not in response.content.decode()
    assert_clean(response)


def test_it_asks_the_database_a_few_times(raisin: Endpoint, eve: User, browse: Browse) -> None:
    test = tested.split_test(raisin)
    client = browse(eve)
    for address in (page_of(test), TESTS):
        counts = []
        for looks in (5, 200):
            test.phases.get().course.all().delete()
            tested.looks(test, looks)
            with CaptureQueriesContext(connection) as asked:
                client.get(address)
            counts.append(len(asked))
        assert counts[0] == counts[1] <= MOST_QUERIES


def unload(version: AlgorithmVersion) -> None:
    AlgorithmVersion.objects.filter(pk=version.pk).update(artifact_sha256="0" * 64)
    trial.tell_servers(version.endpoint.abtests.get())


@pytest.mark.parametrize("number", [1, 2])
def test_a_test_that_serving_leaves_out_says_so(
    number: int, raisin: Endpoint, eve: User, browse: Browse
) -> None:
    test = tested.split_test(raisin)
    client = browse(eve)
    addresses = (page_of(test), TESTS, "/endpoints/raisin/")
    for address in addresses:
        assert "is left out of serving" not in text_of(client.get(address))
    unload(raisin.versions.get(number=number))
    for address in addresses:
        response = client.get(address)
        said = text_of(response)
        assert "The test is left out of serving, and nothing is counted for it: " in said
        assert f"The artefact of v{number} cannot be used" in said
        assert 'class="notice notice-warning"' in response.content.decode()
        assert_clean(response)
    trial.stop(test)
    assert "is left out of serving" not in text_of(client.get(page_of(test)))


def test_a_paused_endpoint_asks_nothing(raisin: Endpoint, eve: User, browse: Browse) -> None:
    test = tested.split_test(raisin)
    client, told = browse(eve), "The endpoint is paused: nothing is asked."
    assert told not in text_of(client.get(page_of(test)))
    Endpoint.objects.update(paused_at=timezone.now())
    for address in (page_of(test), TESTS):
        assert told in text_of(client.get(address))
        part = client.get(address, headers={"HX-Request": "true"})
        assert told in text_of(part)
    trial.stop(test)
    assert told not in text_of(client.get(page_of(test)))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (44, "No result: it was stopped before 100 labels per arm. There are 44."),
        (1, "No result: it was stopped before 100 labels per arm. There is 1."),
    ],
)
def test_a_stopped_test_hides_nothing_any_more(
    labels: int, said: str, raisin: Endpoint, eve: User, browse: Browse
) -> None:
    test = tested.split_test(raisin, right=(1, 1), labels=(labels, labels), units=(90, 90))
    client = browse(eve)
    verb = "is" if labels == 1 else "are"
    assert f"So far there {verb} {labels}." in text_of(client.get(page_of(test)))
    trial.stop(test)
    shown = text_of(client.get(page_of(test)))
    assert said in shown
    assert "idden until" not in shown


def test_a_test_of_too_few_units_says_so_when_it_is_stopped(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    test = tested.split_test(raisin)
    ABArm.objects.update(units=40)
    trial.stop(test)
    said = text_of(browse(eve).get(page_of(test)))
    assert "No result: it was stopped before 50 labelled units per arm." in said


def test_rows_stand_beside_requests_where_they_differ(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    test = tested.split_test(raisin)
    client = browse(eve)
    assert 'data-label="Rows"' not in client.get(page_of(test)).content.decode()
    ABTraffic.objects.filter(arm=trial.arms(test)["challenger"]).update(rows=2_345)
    shown = client.get(page_of(test)).content.decode()
    assert '<td class="num" data-label="Rows">2,345</td>' in shown
    assert '<td class="num" data-label="Rows">1,200</td>' in shown


@pytest.mark.parametrize("counts", [{"errors": 3}, {"requests": 1_190}])
def test_units_of_requests_without_an_answer_are_explained(
    raisin: Endpoint, eve: User, browse: Browse, counts: dict[str, int]
) -> None:
    test = tested.split_test(raisin)
    client, told = browse(eve), "Units count requests without an answer too."
    assert told not in text_of(client.get(page_of(test)))
    ABTraffic.objects.filter(arm=trial.arms(test)["challenger"]).update(**counts)
    assert told in text_of(client.get(page_of(test)))


def test_a_shadow_has_no_units_of_its_own(raisin: Endpoint, eve: User, browse: Browse) -> None:
    test = tested.shadow_test(raisin)
    ABTraffic.objects.filter(arm=trial.arms(test)["challenger"]).update(units=0, errors=3)
    response = browse(eve).get(page_of(test))
    cells = response.content.decode().split('data-label="Units">')[1:]
    assert [cell.split("</td>")[0] for cell in cells] == ["1,200", formats.MISSING]
    assert "Units count requests without an answer too." not in text_of(response)


def test_one_label_is_one(raisin: Endpoint, eve: User, browse: Browse) -> None:
    test = tested.split_test(raisin, right=(1, 1), labels=(1, 1), units=(80, 90), most_days=2)
    assert "There is 1 of the 100 labels per arm" in text_of(browse(eve).get(page_of(test)))


def test_without_any_it_offers_to_plan_one(
    raisin: Endpoint, eve: User, dana: User, browse: Browse
) -> None:
    said = text_of(browse(eve).get(TESTS))
    assert "No test is running" in said
    assert "To plan one you need the role" in said
    assert "/endpoints/raisin/tests/new/" in read(browse(dana).get(TESTS)).links


def test_a_running_test_is_told_of_where_people_look(
    raisin: Endpoint, eve: User, browse: Browse
) -> None:
    test = tested.split_test(raisin)
    client = browse(eve)
    for address in ("/", "/endpoints/raisin/", "/endpoints/raisin/versions/2/", TESTS):
        assert page_of(test) in read(client.get(address)).links, address
    assert page_of(test) in read(client.get("/endpoints/raisin/versions/1/")).links

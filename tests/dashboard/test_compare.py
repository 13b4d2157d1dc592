"""Runs side by side: which is better, what differs, and against which base."""

from __future__ import annotations

from django.contrib.auth.models import User

from dashboard.presenters.comparison import Comparison, Subject, best_of
from tests import cast
from tests.dashboard.conftest import Browse, Site
from tests.dashboard.pages import assert_clean, text_of


def url(*keys: str, base: str = "") -> str:
    query = "&".join(f"run={key}" for key in keys)
    return f"/runs/compare/?{query}" + (f"&base={base}" if base else "")


def test_it_works(site: Site, eve: User, browse: Browse) -> None:
    response = browse(eve).get(url(site.live_run.pk, site.other_run.pk))
    compared: Comparison = response.context["comparison"]
    assert compared.base == site.live_run.pk
    loss = next(row for row in compared.metrics if row.metric == "validation_log_loss")
    assert [cell.best for cell in loss.cells] == [True, False]
    assert (loss.cells[0].change, loss.cells[1].change is not None) == (None, True)
    assert loss.cells[1].change > 0
    assert "delta-worse" in response.content.decode()
    assert "Validation log loss" in text_of(response)
    assert "Loss curves" in text_of(response)


def test_differing_settings_come_first_and_the_same_are_folded(
    site: Site, eve: User, browse: Browse
) -> None:
    response = browse(eve).get(url(site.live_run.pk, site.other_run.pk))
    differing = [row.name for row in response.context["differing"]]
    assert {"solver", "epochs", "learning rate"} <= set(differing)
    identical = {row.name: row.known for row in response.context["identical"]}
    assert identical["target"] == "Class"
    assert not set(identical) & set(differing)


def test_weights_are_ordered_by_their_difference(site: Site, eve: User, browse: Browse) -> None:
    response = browse(eve).get(url(site.live_run.pk, site.other_run.pk))
    changes = [row.largest_change for row in response.context["comparison"].weights]
    assert len(changes) == 7
    assert changes == sorted(changes, reverse=True)


def test_weights_of_other_columns_are_not_the_same() -> None:
    ours, theirs = (Subject(key, key, None, {}, {}, {key: 0.5}) for key in ("Area", "Extent"))
    assert Comparison((ours, theirs), base="Area").weights_differ
    assert not Comparison((ours, ours), base="Area").weights_differ


def test_another_run_can_be_the_base(site: Site, eve: User, browse: Browse) -> None:
    address = url(site.live_run.pk, site.other_run.pk, base=site.other_run.pk)
    response = browse(eve).get(address)
    assert response.context["comparison"].base == site.other_run.pk
    assert "differences are from Gradient descent" in text_of(response)


def test_a_run_that_is_not_there_has_a_column_that_says_so(
    site: Site, eve: User, browse: Browse
) -> None:
    response = browse(eve).get(url("0" * 32, site.live_run.pk, site.other_run.pk))
    assert response.status_code == 200
    assert "There is no run with this id." in text_of(response)
    assert response.context["comparison"].base == site.live_run.pk
    assert_clean(response)


def test_only_runs_that_are_not_there(db: None, eve: User, browse: Browse) -> None:
    response = browse(eve).get(url("0" * 32, "1" * 32))
    assert response.status_code == 200
    assert_clean(response)


def test_more_than_six_are_cut_and_it_says_so(db: None, eve: User, browse: Browse) -> None:
    keys = [cast.trained_run(solver="gd", epochs=2).pk for _ in range(7)]
    response = browse(eve).get(url(*keys))
    assert len(response.context["comparison"].subjects) == 6
    assert "You chose 7 runs. These are the first 6." in text_of(response)
    assert_clean(response)


def test_fewer_than_two_is_a_hint(site: Site, eve: User, browse: Browse) -> None:
    for address in ("/runs/compare/", url(site.live_run.pk), url(*[site.live_run.pk] * 2)):
        assert "Choose at least two runs" in text_of(browse(eve).get(address))


def test_runs_of_one_name_are_told_apart(site: Site, eve: User, browse: Browse) -> None:
    twin = cast.trained_run(name="Gradient descent", solver="gd")
    response = browse(eve).get(url(site.other_run.pk, twin.pk))
    titles = [subject.title for subject in response.context["comparison"].subjects]
    assert titles == [f"Gradient descent ({key[:8]})" for key in (site.other_run.pk, twin.pk)]


def test_best_follows_the_direction() -> None:
    assert best_of([0.5, None, 0.25], -1) == 0.25
    assert best_of([0.5, None, 0.25], 1) == 0.5
    assert best_of([0.5, 0.5], 1) is None
    assert best_of([0.5, 0.25], 0) is None

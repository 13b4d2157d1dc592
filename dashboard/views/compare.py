"""Two to six runs side by side; the address is the whole state of the page."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from dashboard.presenters import comparison, curves
from dashboard.presenters.comparison import Comparison, Subject
from dashboard.views.shell import caller_of, page
from endpoints.models import Run
from endpoints.services import access

MOST_RUNS = 6


@page
def compare(request: HttpRequest) -> HttpResponse:
    visible = access.visible_runs(caller_of(request))
    asked = list(dict.fromkeys(key for key in request.GET.getlist("run") if key))
    keys = asked[:MOST_RUNS]
    found = {run.pk: run for run in visible.filter(pk__in=keys).select_related("experiment")}
    runs = [found[key] for key in keys if key in found]
    context: dict[str, object] = {"asked": len(asked), "most": MOST_RUNS, "keys": keys}
    if len(keys) >= 2:
        titles = titles_of(runs)
        base = request.GET.get("base", "")
        compared = side_by_side(keys, runs, titles, base)
        facts = [*compared.data, *compared.differing, *compared.identical]
        context |= {
            "comparison": compared,
            "heads": [(subject, link(keys, subject.key)) for subject in compared.subjects],
            "width": len(keys) + 1,
            "differing": [row for row in facts if row.differs],
            "identical": [row for row in facts if not row.differs],
            "too_many": f"You chose {len(asked)} runs. These are the first {MOST_RUNS}.",
            "chart": curves.overlay(runs, titles),
            "any_synthetic": any(run.synthetic for run in runs),
        }
    return render(request, "dashboard/runs/compare.html", context)


def side_by_side(
    keys: Sequence[str], runs: Sequence[Run], titles: dict[str, str], base: str
) -> Comparison:
    """Compare with the asked base, else with the first run that is there."""
    known = comparison.subjects_of(runs, titles)
    subjects: tuple[Subject, ...] = tuple(
        known.get(key) or comparison.missing(key, "There is no run with this id.") for key in keys
    )
    first = next(iter(known), keys[0])
    return Comparison(subjects, base if base in known else first)


def link(keys: Sequence[str], base: str) -> str:
    """Return the query string of the same comparison with another base."""
    return urlencode([*(("run", key) for key in keys), ("base", base)])


def titles_of(runs: Sequence[Run]) -> dict[str, str]:
    """Return the names; runs of the same name are told apart by their ids."""
    names = [run.name for run in runs]
    return {
        run.pk: f"{run.name} ({run.short_id})" if names.count(run.name) > 1 else run.name
        for run in runs
    }

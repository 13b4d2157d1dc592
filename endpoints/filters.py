"""What lists of runs and predictions can be narrowed down by, for REST and pages alike."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import django_filters
from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q

from endpoints.models import Experiment, PredictionRequest, Run
from endpoints.models.prediction import PredictionRequestQuerySet, Source
from endpoints.models.run import RunQuerySet, RunState
from endpoints.services.words import SOLVER_NAMES

SOLVERS = tuple(SOLVER_NAMES.items())
LARGEST_INTEGER = 2**31 - 1
# Moments near the ends of the calendar overflow when the database brings them to its time zone.
STORABLE = (
    MinValueValidator(datetime(1900, 1, 1, tzinfo=UTC)),
    MaxValueValidator(datetime(2900, 1, 1, tzinfo=UTC)),
)


class IntegerFilter(django_filters.Filter):
    field_class = forms.IntegerField


class RunFilter(django_filters.FilterSet):
    q = django_filters.CharFilter(method="search", label="Search")
    experiment = django_filters.ChoiceFilter(field_name="experiment__name", choices=())
    state = django_filters.ChoiceFilter(choices=RunState.choices)
    solver = django_filters.ChoiceFilter(choices=SOLVERS)

    class Meta:
        model = Run
        fields = ("q", "experiment", "state", "solver")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        runs = self.queryset
        self.filters["experiment"].extra["choices"] = lambda: _experiments_of(runs)

    def search(self, runs: RunQuerySet, name: str, text: str) -> RunQuerySet:
        """Look for the text in names, and for an id that starts with it."""
        return runs.filter(
            Q(name__icontains=text)
            | Q(dataset_name__icontains=text)
            | Q(experiment__name__icontains=text)
            | Q(id__startswith=text.lower())
        )


def _experiments_of(runs: RunQuerySet) -> list[tuple[str, str]]:
    """Offer no name that only runs have which the caller may not see."""
    found = Experiment.objects.filter(pk__in=runs.order_by().values("experiment"))
    return list(found.values_list("name", "name"))


class PredictionFilter(django_filters.FilterSet):
    version = IntegerFilter(
        field_name="version__number", min_value=1, max_value=LARGEST_INTEGER, label="Version"
    )
    source = django_filters.ChoiceFilter(choices=Source.choices)
    labelled = django_filters.BooleanFilter(method="by_label", label="Has a true label")
    probability_min = django_filters.NumberFilter(
        field_name="probability", lookup_expr="gte", min_value=0, max_value=1
    )
    probability_max = django_filters.NumberFilter(
        field_name="probability", lookup_expr="lte", min_value=0, max_value=1
    )
    since = django_filters.IsoDateTimeFilter(
        field_name="created_at", lookup_expr="gte", validators=STORABLE
    )
    until = django_filters.IsoDateTimeFilter(
        field_name="created_at", lookup_expr="lt", validators=STORABLE
    )
    request_id = django_filters.UUIDFilter(field_name="id", label="Request id")

    class Meta:
        model = PredictionRequest
        fields = (
            "version",
            "source",
            "labelled",
            "probability_min",
            "probability_max",
            "since",
            "until",
            "request_id",
        )

    def by_label(
        self, requests: PredictionRequestQuerySet, name: str, labelled: object
    ) -> PredictionRequestQuerySet:
        return requests.labelled() if labelled else requests.awaiting_feedback()

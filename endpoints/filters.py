"""What lists of runs and predictions can be narrowed down by, for REST and pages alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import django_filters
from django import forms
from django.core.validators import EMPTY_VALUES, MaxValueValidator, MinValueValidator
from django.db.models import Q
from django.utils.functional import cached_property

from endpoints.cells_form import CellsForm
from endpoints.matching import Matcher
from endpoints.models import ABArm, Endpoint, Experiment, PredictionRequest, Run
from endpoints.models.abcount import ArmName
from endpoints.models.abtest import TestState
from endpoints.models.prediction import PredictionRequestQuerySet, Protocol, Source
from endpoints.models.run import RunQuerySet, RunState
from endpoints.services.access import Caller
from endpoints.services.words import SOLVER_NAMES

SOLVERS = tuple(SOLVER_NAMES.items())
LARGEST_INTEGER = 2**31 - 1
PROTOCOLS = tuple(choice for choice in Protocol.choices if choice[0])
LIVE = "live"
SOURCES = ((LIVE, "Live traffic"), *Source.choices)
CHUNK = 100
INDEXED = ("version", "since", "until", "request_id")  # the version first: it starts anew
# Ids tell no moment before 1970, and near the end of the calendar moments overflow.
STORABLE = (
    MinValueValidator(datetime(1970, 1, 1, tzinfo=UTC)),
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


class Matched(NamedTuple):
    """A request with the rows that were asked for, and what else was wanted of it."""

    id: UUID
    rows: Sequence[int]
    columns: dict[str, Any]


class PredictionFilter(django_filters.FilterSet):
    """Narrows down the log of one endpoint.

    By version, time and id an index finds the place, which is `found_by_index`. Whether a request has
    the rest one can only tell by looking at it: `is_looking` says that such a filter is used. What rows
    hold no database tells at all: `matcher` does, where it is not None.
    """

    version = IntegerFilter(
        method="by_version", min_value=1, max_value=LARGEST_INTEGER, label="Version"
    )
    source = django_filters.ChoiceFilter(choices=SOURCES, method="by_source")
    protocol = django_filters.ChoiceFilter(choices=PROTOCOLS)
    labelled = django_filters.BooleanFilter(method="by_label", label="Has a true label")
    probability_min = django_filters.NumberFilter(
        field_name="probability", lookup_expr="gte", min_value=0, max_value=1
    )
    probability_max = django_filters.NumberFilter(
        field_name="probability", lookup_expr="lte", min_value=0, max_value=1
    )
    since = django_filters.IsoDateTimeFilter(method="by_begin", validators=STORABLE)
    until = django_filters.IsoDateTimeFilter(method="by_end", validators=STORABLE)
    request_id = django_filters.UUIDFilter(field_name="id", label="Request id")
    abtest = IntegerFilter(
        method="by_test", min_value=1, max_value=LARGEST_INTEGER, label="A/B test"
    )
    arm = django_filters.ChoiceFilter(choices=ArmName.choices, method="by_arm", label="Arm")
    unit = django_filters.CharFilter(label="Unit")

    class Meta:
        model = PredictionRequest
        form = CellsForm
        fields = (
            "version",
            "source",
            "protocol",
            "labelled",
            "probability_min",
            "probability_max",
            "since",
            "until",
            "request_id",
            "abtest",
            "arm",
            "unit",
        )

    def __init__(self, data: Any, *, endpoint: Endpoint, caller: Caller | None = None) -> None:
        """Without a caller nobody is known to look into the rows."""
        super().__init__(data, queryset=PredictionRequest.objects.filter(endpoint=endpoint))
        self.endpoint, self.caller = endpoint, caller or Caller()

    @property
    def form(self) -> CellsForm:
        form: CellsForm = super().form
        form.endpoint, form.caller = self.endpoint, self.caller
        return form

    @property
    def matcher(self) -> Matcher | None:
        self.is_valid()
        return self.form.matcher

    @cached_property
    def found_by_index(self) -> PredictionRequestQuerySet:
        return self._narrowed(self.queryset, INDEXED)

    @cached_property
    def is_looking(self) -> bool:
        asked = (value for name, value in self._asked.items() if name not in INDEXED)
        return any(value not in EMPTY_VALUES for value in asked)

    def look(self, requests: PredictionRequestQuerySet) -> PredictionRequestQuerySet:
        """Keep what the other filters want of some requests that an index has found."""
        return self._narrowed(requests, [name for name in self.filters if name not in INDEXED])

    def matching(self, requests: PredictionRequestQuerySet, *columns: str) -> Iterator[Matched]:
        """Yield the requests with rows that were asked for, which are all rows without a matcher."""
        matcher = self.matcher
        wanted = {"id", "row_count", *columns, *(matcher.columns if matcher else ())}
        for found in requests.values(*wanted).iterator(chunk_size=CHUNK):
            rows: Sequence[int] = range(found["row_count"])
            if matcher is not None:
                rows = matcher.rows([found[name] for name in matcher.columns])
            if rows:
                yield Matched(found["id"], rows, found)

    def rows_of(self, request: PredictionRequest) -> Sequence[int]:
        """Return the rows that were asked for of a request that is loaded as a whole."""
        matcher = self.matcher
        if matcher is None:
            return range(request.row_count)
        return matcher.rows([getattr(request, name) for name in matcher.columns])

    def filter_queryset(self, queryset: PredictionRequestQuerySet) -> PredictionRequestQuerySet:
        return self.look(self.found_by_index)

    @property
    def _asked(self) -> dict[str, Any]:
        self.is_valid()  # what is not is left out
        asked: dict[str, Any] = self.form.cleaned_data
        return asked

    def _narrowed(
        self, requests: PredictionRequestQuerySet, names: Iterable[str]
    ) -> PredictionRequestQuerySet:
        for name in names:
            requests = self.filters[name].filter(requests, self._asked.get(name))
        return requests

    def by_version(
        self, requests: PredictionRequestQuerySet, name: str, number: int
    ) -> PredictionRequestQuerySet:
        """A version is of one endpoint: its own index finds more than both conditions do."""
        version = self.endpoint.versions.filter(number=number).first()
        if version is None:
            return requests.none()
        return PredictionRequest.objects.filter(version=version)

    def by_source(
        self, requests: PredictionRequestQuerySet, name: str, source: str
    ) -> PredictionRequestQuerySet:
        return requests.monitored() if source == LIVE else requests.filter(source=source)

    def by_begin(
        self, requests: PredictionRequestQuerySet, name: str, moment: datetime
    ) -> PredictionRequestQuerySet:
        return requests.since(moment)

    def by_end(
        self, requests: PredictionRequestQuerySet, name: str, moment: datetime
    ) -> PredictionRequestQuerySet:
        return requests.before(moment)

    def by_test(
        self, requests: PredictionRequestQuerySet, name: str, number: int
    ) -> PredictionRequestQuerySet:
        return requests.filter(arm__in=self._arms(phase__test=number))

    def by_arm(
        self, requests: PredictionRequestQuerySet, name: str, arm: str
    ) -> PredictionRequestQuerySet:
        """Of the test that is asked for, else of the one that runs."""
        if self._asked.get("abtest") is not None:
            return requests.filter(arm__in=self._arms(name=arm, phase__test=self._asked["abtest"]))
        running = {"phase__test__state": TestState.RUNNING}
        return requests.filter(arm__in=self._arms(name=arm, **running))

    def _arms(self, **wanted: Any) -> list[int]:
        """Few: as numbers, so that no database joins the log with them."""
        arms = ABArm.objects.filter(phase__test__endpoint=self.endpoint, **wanted)
        return list(arms.order_by().values_list("pk", flat=True))

    def by_label(
        self, requests: PredictionRequestQuerySet, name: str, labelled: object
    ) -> PredictionRequestQuerySet:
        return requests.labelled() if labelled else requests.awaiting_feedback()

"""What answers at each endpoint right now, remembered between requests; it knows nothing of rows or HTTP.

At most once in RAISIN_REFRESH_SECONDS one query asks whether an endpoint has changed. What has is read
anew and put in place of the old in one assignment: a request sees the state before or the state after.
A promoted version whose artefact cannot be loaded takes nobody's place.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from types import MappingProxyType
from typing import NamedTuple, TypeGuard

from django.conf import settings
from django.db import Error, OperationalError

from endpoints.errors import NoModel, NotFound
from endpoints.models import AlgorithmVersion, Endpoint, Status, StatusChange
from endpoints.models.endpoint import MissingValues
from endpoints.services import artifacts
from endpoints.services.abtests import running
from endpoints.services.abtests.running import RunningTest
from endpoints.services.metrics import metrics
from endpoints.services.model_alerts import ModelAlerts
from endpoints.services.words import stands
from mlcore.classifier import Classifier
from mlcore.errors import ArtifactError

LOADED_MODELS = 16

logger = logging.getLogger(__name__)


class ModelCache:
    """The classifiers in memory, by checksum and threshold, least recently used first out; safe among threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._models: OrderedDict[tuple[str, float | None], Classifier] = OrderedDict()

    def get(self, version: AlgorithmVersion) -> Classifier:
        """Return the version's classifier with its threshold; raises ArtifactError."""
        key = version.artifact_sha256, version.threshold
        with self._lock:
            if key not in self._models:
                loaded = artifacts.load(version)
                metrics.loaded(version.artifact_sha256)
                # Its threshold is the version's; what is prepared for fast rows is kept with it.
                self._models[key] = replace(loaded, threshold=version.threshold)
                while len(self._models) > self._size:
                    self._models.popitem(last=False)
            self._models.move_to_end(key)
            return self._models[key]


models = ModelCache(LOADED_MODELS)


def load(version: AlgorithmVersion) -> Classifier:
    """Return the version's classifier from memory or disk; raises NoModel."""
    try:
        return models.get(version)
    except ArtifactError as error:
        raise NoModel(f"The artefact of {version.label} cannot be used: {error}") from error


class Chosen(NamedTuple):
    version: AlgorithmVersion
    classifier: Classifier


@dataclass(frozen=True)
class Served:
    """One endpoint as it answers: `production` does, with `classifier`; `problem` says why it is not the
    version in production, or has no classifier; `test_problem` why the running test is left out.
    `chosen` remembers what was asked for by number or status."""

    endpoint: Endpoint
    production: AlgorithmVersion | None = None
    classifier: Classifier | None = None
    problem: str = ""
    test: RunningTest | None = None
    test_problem: str = ""
    chosen: dict[tuple[int | None, str | None], Chosen] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """Of the version that answers, 0 without one: where refused requests are counted."""
        return self.production.number if self.production is not None else 0

    def choose(self, number: int | None, status: str | None) -> Chosen:
        """Return the version of this number, which must have the status if one is given; by status
        alone the newest one that has it; with neither the one that answers.

        Raises NotFound, or NoModel where nothing is in production or cannot be loaded.
        """
        found = self.chosen.get((number, status))
        if found is None:
            version = self.version(number, status)
            found = Chosen(version, self.model(version))
            if len(self.chosen) >= LOADED_MODELS:
                self.chosen.clear()
            self.chosen[number, status] = found
        return found

    def version(self, number: int | None, status: str | None) -> AlgorithmVersion:
        """Return the same version without loading it."""
        if number is not None or status not in (None, Status.PRODUCTION):
            return self._find(number, status)
        if self.production is None:
            raise NoModel(f"“{self.endpoint.slug}” has no version in production.")
        return self.production

    def _find(self, number: int | None, status: str | None) -> AlgorithmVersion:
        versions = self.endpoint.versions.select_related("endpoint")
        if number is None:
            newest = versions.filter(status=status).order_by("-number").first()
            if newest is None:
                raise NotFound(f"“{self.endpoint.slug}” has no version {stands(str(status))}.")
            return newest
        numbered = versions.filter(number=number).first() if number < 2**31 else None
        if numbered is None:
            raise NotFound(f"“{self.endpoint.slug}” has no version {number}.")
        if status not in (None, numbered.status):
            raise NotFound(f"{numbered.label} is {stands(numbered.status)}, not {stands(status)}.")
        return numbered

    def model(self, version: AlgorithmVersion) -> Classifier:
        """Return the classifier of a version, with the endpoint's policy of missing values."""
        own = self.classifier if version is self.production else None
        return filling(own or load(version), self.endpoint.missing_values)


def filling(classifier: Classifier, missing_values: str) -> Classifier:
    """Return the classifier that fills missing cells, or one that refuses them: the endpoint's policy says which."""
    if missing_values == MissingValues.REFUSE:
        return replace(classifier, schema=classifier.schema.without_fills())
    return classifier


class Snapshots:
    """All endpoints as they answer; safe among threads."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._refreshing = threading.Lock()
        self._served: Mapping[str, Served] = MappingProxyType({})
        self._alerts = ModelAlerts(clock)
        self._next_look = float("-inf")
        self._problem: Error | None = None

    def get(self, slug: str) -> Served | None:
        return self.all().get(slug)

    def all(self) -> Mapping[str, Served]:
        if self._clock() >= self._next_look or not self._served:
            self._refresh()
        return self._served

    def expire(self) -> None:
        """Look again at the next request: something was changed here."""
        self._next_look = float("-inf")

    def _refresh(self) -> None:
        """One thread looks; the others go on with what is known, unless nothing is."""
        if not self._refreshing.acquire(blocking=not self._served):
            return
        try:
            if self._clock() >= self._next_look:
                self._look_again()
        finally:
            self._refreshing.release()
        # Where nothing is known, those who waited for this look need not all look in vain themselves.
        if self._problem is not None and not self._served:
            raise OperationalError("the endpoints could not be read") from self._problem

    def _look_again(self) -> None:
        # First the time: what changes from here on is for the next look.
        self._next_look = self._clock() + settings.RAISIN_REFRESH_SECONDS
        try:
            before, self._served, self._problem = self._served, self._look(), None
            self._alerts.notice(before, self._served)
        except Error as error:
            self._next_look = self._clock() + settings.RAISIN_REFRESH_SECONDS
            self._problem = error
            logger.exception("the endpoints could not be read; what is known goes on answering")

    def _look(self) -> Mapping[str, Served]:
        found = {endpoint.slug: endpoint for endpoint in Endpoint.objects.all()}
        if not settings.RAISIN_REFRESH_SECONDS:
            return MappingProxyType({slug: read(endpoint) for slug, endpoint in found.items()})
        served = {}
        for slug, endpoint in found.items():
            known = self._served.get(slug)
            served[slug] = known if _still_holds(known, endpoint) else read(endpoint, known)
        return MappingProxyType(served)


def _still_holds(known: Served | None, endpoint: Endpoint) -> TypeGuard[Served]:
    """A model that could not be loaded is tried again: somebody may have put its file back."""
    if known is None or known.problem or known.test_problem:
        return False
    return _facts(known.endpoint) == _facts(endpoint)


def _facts(endpoint: Endpoint) -> tuple[object, ...]:
    """Its own columns; its revision grows where anything else changes that bears on serving."""
    return tuple(getattr(endpoint, column.attname) for column in endpoint._meta.concrete_fields)


def read(endpoint: Endpoint, known: Served | None = None) -> Served:
    """Return what answers at an endpoint. Known: what did so far, and goes on where the new cannot."""
    promoted = endpoint.versions.in_production().select_related("endpoint").first()
    if promoted is None:
        return Served(endpoint)
    try:
        return _with_test(Served(endpoint, promoted, load(promoted)), promoted)
    except NoModel as error:
        logger.error("%s: %s", endpoint.slug, error.message)
        if known is not None and known.classifier is not None:
            return Served(endpoint, known.production, known.classifier, error.message)
        before = _predecessor(promoted) or Served(endpoint, promoted)
        return replace(before, problem=error.message)


def _with_test(served: Served, promoted: AlgorithmVersion) -> Served:
    """Add the running test; where one of its arms cannot answer, all goes on as without it."""
    try:
        return replace(served, test=running.read(served.endpoint, promoted, served.model))
    except NoModel as error:
        logger.error("%s: the A/B test is left out: %s", served.endpoint.slug, error.message)
        return replace(served, test_problem=error.message)


def _predecessor(promoted: AlgorithmVersion) -> Served | None:
    """Return what answered before, if it can be loaded; a process that has just started learns it from
    the history."""
    left = (
        StatusChange.objects.of(promoted.endpoint)
        .filter(from_status=Status.PRODUCTION)
        .exclude(version=promoted)
        .select_related("version__endpoint")
        .first()
    )
    if left is None:
        return None
    try:
        classifier = load(left.version)
    except NoModel:
        return None
    return Served(promoted.endpoint, left.version, classifier)


snapshots = Snapshots()

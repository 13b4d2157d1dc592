"""Records many true labels at once: what is good is stored, what is not is counted and told by its place.

It knows no JSON and no CSV.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from endpoints.errors import InvalidRequest, NoModel, NotAllowed, NotAuthenticated, NotFound
from endpoints.models import AlgorithmVersion, Endpoint, PredictionRequest
from endpoints.services import access, label_store
from endpoints.services.access import Caller, Need
from endpoints.services.feedback import check_row
from endpoints.services.label_classes import Classes, classes_of
from endpoints.services.label_store import Logged, Place, TrueLabel, parts

MOST_FAULTS = 100
"""That an answer lists; all are counted."""


class Item(NamedTuple):
    """A label as it was sent; `number` is where it stood: its item or line."""

    number: int
    request_id: UUID
    row: int
    label: str | float


class Fault(NamedTuple):
    number: int
    code: str
    message: str


@dataclass(frozen=True)
class BulkReport:
    """What became of each label that was received."""

    recorded: int
    corrected: int
    duplicate: int
    unknown: int
    invalid: int
    faults: Sequence[Fault]
    """The first of them, in the order in which they were sent."""

    @property
    def matched(self) -> int:
        return self.recorded + self.corrected + self.duplicate

    @property
    def received(self) -> int:
        return self.matched + self.unknown + self.invalid


def require_somewhere(caller: Caller) -> None:
    """Refuse who may label nowhere at all: to them every request would only be unknown."""
    if not Endpoint.objects.filter(public_predictions=True).exists():
        access.require(caller, Need.FEEDBACK)


def record_many(
    *,
    items: Sequence[Item],
    faults: Sequence[Fault],
    caller: Caller,
    now: datetime,
    endpoint: Endpoint | None = None,
) -> BulkReport:
    """Store all that is good in one transaction. Faults: what could not even be read.

    Of several labels for one row the last good one counts; the earlier are duplicates of it. A
    request at an endpoint where the caller may not label, or at another than `endpoint`, is unknown.
    """
    sorter = _Sorter(caller, endpoint, now)
    by_place: dict[Place, list[Item]] = {}
    for item in items:
        by_place.setdefault((item.request_id, item.row), []).append(item)
    for places in parts(sorted(by_place)):
        sorter.sort(places, by_place)
    outcomes = label_store.store_many(sorter.labels, actor=caller)
    all_faults = sorted([*faults, *sorter.faults])
    return BulkReport(
        recorded=outcomes["recorded"],
        corrected=outcomes["corrected"],
        duplicate=outcomes["unchanged"] + sorter.overtaken,
        unknown=sorter.unknown,
        invalid=len(all_faults),
        faults=all_faults[:MOST_FAULTS],
    )


@dataclass(frozen=True)
class _Known:
    """A version that answered: what its labels are compared with, or why nothing is."""

    version: AlgorithmVersion
    classes: Classes
    problem: str = ""


class _Sorter:
    """Tells labels that can be stored from those that cannot; remembers versions, not requests."""

    def __init__(self, caller: Caller, endpoint: Endpoint | None, now: datetime) -> None:
        self.labels: list[TrueLabel] = []
        self.faults: list[Fault] = []
        self.unknown = 0
        self.overtaken = 0
        self._caller, self._endpoint, self._now = caller, endpoint, now
        self._versions: dict[int, _Known | None] = {}

    def sort(self, places: Sequence[Place], by_place: dict[Place, list[Item]]) -> None:
        log = self._read({request_id for request_id, _ in places})
        for place in places:
            items, request = by_place[place], log.get(place[0])
            known = self._versions.get(request.version_id) if request is not None else None
            if request is None or known is None:
                self.unknown += len(items)
                continue
            good = list(self._good(items, request, known))
            self.labels += good[-1:]
            self.overtaken += len(good[:-1])

    def _read(self, request_ids: Collection[UUID]) -> dict[UUID, PredictionRequest]:
        found = (
            PredictionRequest.objects.filter(pk__in=request_ids)
            .order_by()
            .only("id", "version_id", "created_at", "source", "row_count", "predictions", "arm_id")
        )
        log = {request.pk: request for request in found}
        new = {request.version_id for request in log.values()} - self._versions.keys()
        for version in AlgorithmVersion.objects.filter(pk__in=new).select_related("endpoint"):
            self._versions[version.pk] = self._know(version)
        return log

    def _know(self, version: AlgorithmVersion) -> _Known | None:
        """Return None where the caller may not label."""
        place = version.endpoint
        if self._endpoint is not None and place != self._endpoint:
            return None
        try:
            access.admit(place, caller=self._caller, slug=place.slug, need=Need.FEEDBACK)
        except (NotFound, NotAuthenticated, NotAllowed):
            return None
        try:
            return _Known(version, classes_of(version))
        except NoModel as error:
            return _Known(version, Classes(()), problem=error.message)

    def _good(
        self, items: Sequence[Item], request: PredictionRequest, known: _Known
    ) -> Iterator[TrueLabel]:
        """Yield the labels that can be stored, and note the faults of the others."""
        if known.problem:
            self.faults += [Fault(item.number, "no_model", known.problem) for item in items]
            return
        try:
            check_row(request, items[0].row)
        except InvalidRequest as error:
            self.faults += [Fault(item.number, "invalid_row", error.message) for item in items]
            return
        logged = Logged.of(request, known.version)
        predicted = known.classes.names[request.predictions[items[0].row]]
        for item in items:
            try:
                name = known.classes.meant(item.label)
            except InvalidRequest as error:
                self.faults.append(Fault(item.number, "invalid_label", error.message))
                continue
            yield TrueLabel(logged, item.row, name, predicted, self._now)

"""Writes rows again that services have made once: thousands of tests want the same run or endpoint.

It knows tables and columns, and nothing of what they mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Model, QuerySet

from endpoints.models import (
    AlgorithmVersion,
    Endpoint,
    Event,
    Metric,
    Param,
    Run,
    StatusChange,
    Tag,
)

Facts = dict[str, Any]
ROWS_AT_ONCE = 1000  # SQLite takes 32,766 values in one statement


@dataclass(frozen=True)
class Details:
    """What a run logged, to be stored for a copy of it."""

    params: list[tuple[Any, ...]]
    metrics: list[tuple[Any, ...]]
    tags: list[tuple[Any, ...]]

    @classmethod
    def of(cls, run: Run) -> Details:
        return cls(
            params=list(run.params.values_list("key", "value")),
            metrics=list(run.metrics.values_list("key", "step", "value")),
            tags=list(run.tags.values_list("key", "value")),
        )

    def store(self, run: Run) -> None:
        _insert(Param, ("key", "value"), run, self.params)
        _insert(Metric, ("key", "step", "value"), run, self.metrics)
        _insert(Tag, ("key", "value"), run, self.tags)


@dataclass(frozen=True)
class History:
    """An endpoint, its versions and all that became of them."""

    endpoint: Facts
    versions: list[Facts]
    changes: list[Facts]
    events: list[Facts]

    @classmethod
    def of(cls, endpoint: Endpoint) -> History:
        return cls(
            endpoint=Endpoint.objects.values().get(pk=endpoint.pk),
            versions=_facts(endpoint.versions.order_by("number")),
            changes=_facts(StatusChange.objects.of(endpoint).order_by("id")),
            events=_facts(endpoint.events.order_by("id")),
        )

    def again(self, runs: Sequence[Run]) -> Endpoint:
        """Store it as that of other runs, one a version, which have the same models."""
        endpoint = Endpoint.objects.create(**_new(self.endpoint))
        versions = AlgorithmVersion.objects.bulk_create(
            AlgorithmVersion(
                **_new(facts, endpoint=endpoint, run=run, artifact_path=run.artifact_path)
            )
            for facts, run in zip(self.versions, runs, strict=True)
        )
        olds = [facts["id"] for facts in self.versions]
        of_old = dict(zip(olds, versions, strict=True))
        StatusChange.objects.bulk_create(
            StatusChange(**_new(facts, version=of_old[facts["version_id"]]))
            for facts in self.changes
        )
        Event.objects.bulk_create(Event(**_new(facts, endpoint=endpoint)) for facts in self.events)
        return endpoint


def _facts(rows: QuerySet[Any]) -> list[Facts]:
    return list(rows.values())


def _new(facts: Facts, **others: Any) -> Facts:
    """The facts of a row without its key, and with other rows to belong to."""
    replaced = {"id", *others, *(f"{name}_id" for name in others)}
    return {name: value for name, value in facts.items() if name not in replaced} | others


def _insert(
    model: type[Model], columns: Sequence[str], run: Run, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Without Django's models, which take most of the time of such small rows."""
    names = ", ".join(f'"{column}"' for column in ("run_id", *columns))
    place = f"({', '.join(['%s'] * (len(columns) + 1))})"
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {model._meta.db_table} ({names}) VALUES "
                + ", ".join([place] * len(some)),
                [value for row in some for value in (run.pk, *row)],
            )

"""A moment of a filter as a field shows it and sends it again, without losing a part of it; it knows no page."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from endpoints.filters import PredictionFilter


@dataclass(frozen=True)
class MomentField:
    """The type of an input and its value."""

    kind: str
    text: str


def field_of(filtered: PredictionFilter, name: str) -> MomentField:
    """Return what the filter asks for. A browser's picker knows no zone and no microseconds, and would show
    nothing, and so ask for nothing the next time."""
    sent = str(filtered.data.get(name, ""))
    filtered.is_valid()
    moment = filtered.form.cleaned_data.get(name)
    if moment is None:
        return MomentField("text" if sent else "datetime-local", sent)
    local = timezone.localtime(moment).replace(tzinfo=None)
    kind = "text" if local.microsecond % 1_000 else "datetime-local"
    return MomentField(kind, local.isoformat(timespec="auto" if kind == "text" else "milliseconds"))

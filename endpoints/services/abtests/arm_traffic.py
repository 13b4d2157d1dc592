"""Reads what the writers of the log counted of the arms of a test; it knows nothing of labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from endpoints.models import ABTraffic
from endpoints.services import histograms
from endpoints.services.abtests.counts import ArmTraffic


def traffic_of(arm_ids: Collection[int]) -> dict[int, ArmTraffic]:
    """Add up what all writers of the log counted, by arm."""
    parts: dict[int, list[ABTraffic]] = defaultdict(list)
    for part in ABTraffic.objects.filter(arm__in=arm_ids):
        parts[part.arm_id].append(part)
    return {arm_id: _total(found) for arm_id, found in parts.items()}


def _total(parts: Collection[ABTraffic]) -> ArmTraffic:
    latencies: histograms.Counts = {}
    for part in parts:
        histograms.add(latencies, part.latencies)
    return ArmTraffic(
        requests=sum(part.requests for part in parts),
        rows=sum(part.rows for part in parts),
        units=sum(part.units for part in parts),
        errors=sum(part.errors for part in parts),
        agreed=sum(part.agreed for part in parts),
        latencies=latencies,
    )

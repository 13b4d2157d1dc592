"""Where the evidence behind a gate can be seen."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from endpoints.models import AlgorithmVersion


@dataclass(frozen=True)
class Evidence:
    """A link: what it says, and where it leads."""

    text: str
    url: str


# The page of each gate's evidence, the place on it, and what the link says.
PLACES = {
    "smoke": ("version", "#files", "Files"),
    "latency": ("version", "#files", "Files"),
    "schema": ("version", "#schema", "Schema"),
    "metric": ("version", "#metrics", "Metrics"),
    "calibration": ("version", "#probabilities", "Probabilities"),
    "drift": ("predictions", "", "Predictions"),
    "convergence": ("run", "#convergence", "Training"),
    "abtest": ("version", "#tests", "Tests"),
    "card": ("card", "", "Model card"),
    "second_person": ("versions", "#history", "History"),
}


def evidence(code: str, slug: str, version: AlgorithmVersion | None) -> Evidence | None:
    """Return where to look; None for a gate of an older release and where the version is unknown."""
    if code not in PLACES or not version:
        return None
    page, place, text = PLACES[code]
    keys = {
        "version": [slug, version.number],
        "card": [slug, version.number],
        "run": [version.run_id],
    }
    return Evidence(text, reverse(f"dashboard:{page}", args=keys.get(page, [slug])) + place)

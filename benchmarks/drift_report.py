"""`python -m benchmarks.drift_report FOLDER`: our report of drift in a process of its own, measured.

FOLDER has the profile of the training as profile.json and the live rows as current.npy; the rows of
the training are not needed. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.in_process import peak_mib, resident_mib, timed
from mlcore.arrays import FloatArray
from mlcore.distances import jensen_shannon, psi
from mlcore.drift import measure
from mlcore.profile import Profile
from mlcore.two_samples import shift_of_moments
from mlcore.window import Window


def full(stored: str, rows: FloatArray) -> dict[str, Any]:
    """All measures, from the stored text of the profile to the report as a dict."""
    profile = Profile.from_dict(json.loads(stored))
    window = Window.empty(profile)
    window.add(rows)
    return measure(profile, window).to_dict()


def from_deciles(profile: Profile, rows: FloatArray) -> dict[str, dict[str, float]]:
    """PSI, Jensen-Shannon and z-shift of each feature, without the quantiles or sorting."""
    found: dict[str, dict[str, float]] = {}
    for column, values in zip(profile.columns, rows.T, strict=True):
        assert column.deciles is not None
        edges = np.array(column.deciles.edges)
        counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
        training = (profile.n_rows, column.mean or 0.0, column.sd or 0.0)
        now = (len(values), float(values.mean()), float(values.std()))
        shift = shift_of_moments(training, now)
        assert shift.z is not None
        found[column.name] = {
            "psi": psi(column.deciles.counts, counts),
            "jensen_shannon": jensen_shannon(column.deciles.counts, counts),
            "z_shift": shift.z,
        }
    return found


def largest_difference(report: dict[str, Any], short: dict[str, dict[str, float]]) -> float:
    """Between the measures of the full report and the same from deciles alone."""
    found: float = max(
        abs(result["statistic"] - short[feature["name"]][result["name"]])
        for feature in report["features"]
        for result in feature["results"]
        if result["name"] in short[feature["name"]]
    )
    return found


def main(place: str) -> None:
    at_start = resident_mib()
    folder = Path(place)
    stored, rows = (folder / "profile.json").read_text(), np.load(folder / "current.npy")
    first = timed(lambda: json.dumps(full(stored, rows)))
    peak = peak_mib()
    warm = timed(lambda: json.dumps(full(stored, rows)))
    report, profile = full(stored, rows), Profile.from_dict(json.loads(stored))
    profile_only = timed(lambda: from_deciles(profile, rows))
    print(
        json.dumps(
            {
                "first": first,
                "warm": warm,
                "at_start_mib": at_start,
                "peak_mib": peak,
                "distances": {each["name"]: each["effect"] for each in report["features"]},
                "drifted": report["drifted"],
                "measures": [each["name"] for each in report["features"][0]["results"]],
                "profile_only": profile_only,
                "profile_only_difference": largest_difference(report, from_deciles(profile, rows)),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])

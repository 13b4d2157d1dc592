"""One grain as the peers check it: seven numbers, by name."""

# What it imports lives in an environment of its own.
# mypy: disable-error-code="import-not-found, misc"

from __future__ import annotations

from pydantic import BaseModel


class Grain(BaseModel):
    Area: float
    MajorAxisLength: float
    MinorAxisLength: float
    Eccentricity: float
    ConvexArea: float
    Extent: float
    Perimeter: float

    def values(self) -> list[float]:
        """In the order of the columns that the pipeline was fitted on."""
        return [
            self.Area,
            self.MajorAxisLength,
            self.MinorAxisLength,
            self.Eccentricity,
            self.ConvexArea,
            self.Extent,
            self.Perimeter,
        ]

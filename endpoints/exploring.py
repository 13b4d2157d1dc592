"""What a caller may ask of a model besides predictions: its features, and how it follows one of them.

Both doors answer with it, the native interface and the root; it knows neither.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from endpoints.drawing import svg
from endpoints.drawing.words import Chart
from endpoints.services import serving
from endpoints.services.access import Caller, Need
from endpoints.services.response_curve import MEDIAN, response_curve, typical_row
from mlcore.profile import ColumnProfile
from mlcore.schema import Column


def features(slug: str, *, caller: Caller, version: int | None) -> dict[str, Any]:
    """Describe what a row holds, with an example that can be sent as it is."""
    served = serving.served(slug, caller=caller, need=Need.PREDICT)
    found, classifier = served.choose(version, None)
    columns = zip(classifier.schema.columns, classifier.profile.columns, strict=True)
    return {
        "endpoint": slug,
        "version": found.number,
        "target": classifier.target,
        "classes": list(classifier.classes),
        "positive": classifier.classes[1] if classifier.is_binary else None,
        "threshold": classifier.threshold,
        "rows": classifier.profile.n_rows,
        "features": [_feature(column, profile) for column, profile in columns],
        "example": typical_row(classifier),
    }


def plot(slug: str, *, caller: Caller, feature: str | None, version: int | None) -> HttpResponse:
    """Draw the probability over one feature; raises InvalidRequest for one that the model has not."""
    served = serving.admitted(slug, caller=caller)
    found, classifier = served.choose(version, None)
    chart = Chart(
        curve=response_curve(classifier, feature),
        classes=classifier.classes,
        threshold=classifier.threshold,
        source=f"{slug} {found.label}",
    )
    return HttpResponse(
        svg.draw(chart),
        content_type="image/svg+xml; charset=utf-8",
        headers={"Content-Security-Policy": svg.CONTENT_SECURITY_POLICY},
    )


def _feature(column: Column, profile: ColumnProfile) -> dict[str, Any]:
    """Of a category there are levels, of a number the rest; a fill replaces what is missing."""
    return {
        "name": column.name,
        "kind": column.kind,
        "levels": list(column.levels),
        "fill": column.fill,
        "missing": profile.missing,
        "mean": profile.mean,
        "sd": profile.sd,
        "minimum": profile.minimum,
        "median": profile.quantile(MEDIAN) if profile.quantiles else None,
        "maximum": profile.maximum,
    }

"""What a training found out about its model, as the pages of its run and of its version show it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from dashboard.presenters import coefficients, curves, evaluation, importance, model, path
from endpoints.models import Analysis, Run
from mlcore.classifier import Classifier

Report = Mapping[str, Any]
Numbers = Mapping[str, float]
logger = logging.getLogger(__name__)


def report_of(run: Run) -> Report:
    """Return the stored report; nothing of a run that was imported or is older than reports."""
    found = Analysis.objects.filter(run=run).values_list("report", flat=True).first()
    return found or {}


def of_version(run: Run, loaded: model.Loaded, numbers: Numbers) -> dict[str, Any]:
    """Return what is known of the model; what is not known is left out."""
    return _as_far_as_it_fits(run, lambda report: _of_model(report, loaded, numbers))


def of_run(run: Run, loaded: model.Loaded, numbers: Numbers) -> dict[str, Any]:
    """Return what is known of the model and of the way it was found."""

    def of(report: Report) -> dict[str, Any]:
        found = _of_model(report, loaded, numbers)
        found["path"] = path.of(report, found.get("classes", ()))
        return found | {"convergence": curves.of_run(run)}

    return _as_far_as_it_fits(run, of)


def _as_far_as_it_fits(run: Run, present: Callable[[Report], dict[str, Any]]) -> dict[str, Any]:
    """Present the report. One that came with an import may not fit its model: the page says so."""
    report = report_of(run)
    try:
        return _with_places(present(report))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        logger.warning("The analysis of run %s does not fit its model.", run.pk, exc_info=True)
        return _with_places(present({})) | {"is_report_odd": bool(report)}


def _of_model(report: Report, loaded: model.Loaded, numbers: Numbers) -> dict[str, Any]:
    found = {
        "report": report,
        "metrics": evaluation.metric_table(numbers, report),
        "calibration_words": evaluation.calibration_words(report),
        "collinearity": importance.collinearity(report),
    }
    if loaded.classifier is None:
        return found
    return found | _of_classifier(loaded.classifier, loaded.described, report)


def _of_classifier(classifier: Classifier, described: Report, report: Report) -> dict[str, Any]:
    return {
        "classes": classifier.classes,
        "is_binary": classifier.is_binary,
        "threshold": classifier.threshold,
        "calibration_method": (described.get("calibration") or {}).get("method", ""),
        "size": described["solver"]["message"],
        "confusion": evaluation.confusion(described, classifier.classes),
        "threshold_chart": evaluation.threshold_chart(report, classifier.threshold),
        "coefficients": coefficients.of(classifier, report),
        "importance": importance.of(report, classifier.schema.names),
    }


def _with_places(found: dict[str, Any]) -> dict[str, Any]:
    """Add the sections that the page has, for the links at its top."""
    sections = {
        "metrics": ("Metrics", found["metrics"]),
        "probabilities": ("Probabilities", found["report"].get("reliability")),
        "convergence": ("Convergence", found.get("convergence")),
        "coefficients": ("Coefficients", found.get("coefficients")),
        "path": ("Regularisation path", found.get("path")),
        "importance": ("Importance", found.get("importance") or found["collinearity"]),
    }
    places = [(anchor, title) for anchor, (title, part) in sections.items() if part]
    return found | {"places": places}

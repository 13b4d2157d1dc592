"""The first steps from a run to a labelled prediction, each ticked by what the database holds."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from dashboard.presenters import snippets
from endpoints.errors import NoModel
from endpoints.models import AlgorithmVersion, Feedback, PredictionRequest, StatusChange
from endpoints.models.prediction import Source
from endpoints.models.run import RunQuerySet
from endpoints.models.version import AlgorithmVersionQuerySet
from endpoints.services import access, serving
from endpoints.services.access import Caller, Need
from endpoints.services.words import DEMO

TRAIN = ".venv/bin/python manage.py train --data raisin --endpoint raisin"


@dataclass(frozen=True)
class Step:
    """One thing to do: by a link, by a command to copy, or both."""

    title: str
    why: str
    done: bool
    url: str = ""
    action: str = ""
    code: str = ""


@dataclass(frozen=True)
class _Progress:
    finished: list[str]
    registered: AlgorithmVersion | None
    promoted: bool
    request: PredictionRequest | None


def first_steps(caller: Caller) -> list[Step]:
    """Return the steps, or nothing once all are done: a label needs a prediction, and that a model.

    What the demo brought counts for runs and versions, but asking and labelling is for people.
    """
    labelled = Feedback.objects.exclude(actor_name=DEMO).exists()
    runs = access.visible_runs(caller).finished()
    if labelled and runs[:2].count() == 2:
        return []
    progress = _progress(runs, access.visible_versions(caller))
    return [
        _train(progress, caller),
        _compare(progress),
        _register(progress),
        _promote(progress),
        _predict(progress),
        _label(progress, labelled),
    ]


def _progress(runs: RunQuerySet, versions: AlgorithmVersionQuerySet) -> _Progress:
    finished = runs.unarchived().values_list("pk", flat=True)[:2]
    into = StatusChange.objects.into_production().filter(version__in=versions)
    promoted = into.select_related("version__endpoint").first()
    newest = versions.unarchived().select_related("endpoint").order_by("-pk")
    return _Progress(
        finished=list(finished),
        registered=promoted.version if promoted else newest.first(),
        promoted=promoted is not None,
        request=_newest_request(promoted),
    )


def _newest_request(promoted: StatusChange | None) -> PredictionRequest | None:
    """Return the newest request to the endpoint that went live last, unless it is the demo's.

    What people ask comes after what the demo brought.
    """
    if promoted is None:
        return None
    newest = promoted.version.endpoint.requests.first()
    return None if newest is None or newest.source == Source.DEMO else newest


def _train(progress: _Progress, caller: Caller) -> Step:
    return Step(
        "Train a run",
        "A run keeps its parameters, curves, metrics and the model itself.",
        bool(progress.finished),
        reverse("dashboard:train") if caller.may(Need.TRAIN) else "",
        "Train in the browser",
        TRAIN,
    )


def _compare(progress: _Progress) -> Step:
    done = len(progress.finished) >= 2
    if done:
        url = (
            reverse("dashboard:compare") + "?" + "&".join(f"run={key}" for key in progress.finished)
        )
        return Step("Compare two runs", "Settings and metrics side by side.", done, url, "Compare")
    code = f"{TRAIN} --solver gd" if progress.finished else ""
    why = "Train a second one with other settings, then see both side by side."
    return Step("Compare two runs", why, done, code=code)


def _register(progress: _Progress) -> Step:
    url = reverse("dashboard:register", args=progress.finished[:1]) if progress.finished else ""
    return Step(
        "Register a run as a version",
        "A version is a model behind an endpoint. It starts in testing and answers nobody yet.",
        progress.registered is not None,
        url,
        "Register",
    )


def _promote(progress: _Progress) -> Step:
    why = "Stage it, read the gates and the difference from production, give a reason, promote."
    url = ""
    if progress.registered is not None:
        version = progress.registered
        url = reverse("dashboard:version", args=[version.endpoint.slug, version.number])
    return Step("Promote it to production", why, progress.promoted, url, "Open the version")


def _predict(progress: _Progress) -> Step:
    title, why = "Send a prediction", "Every answered request is in the log, with its explanation."
    if not progress.promoted or progress.registered is None:
        return Step(title, why, progress.request is not None)
    endpoint = progress.registered.endpoint
    return Step(
        title,
        why,
        progress.request is not None,
        reverse("dashboard:try", args=[endpoint.slug]),
        "Try a row by hand",
        _predict_command(progress.registered),
    )


def _predict_command(version: AlgorithmVersion) -> str:
    try:
        row = snippets.typical_row(serving.load(version))
    except NoModel:
        return ""
    endpoint = version.endpoint
    return snippets.curl(snippets.predict_url(endpoint), row, public=endpoint.public_predictions)


def _label(progress: _Progress, labelled: bool) -> Step:
    title, why = "Send the true label", "Labels tell how often the live model is right."
    request = progress.request
    if request is None:
        return Step(title, why, labelled)
    url = reverse("dashboard:prediction", args=[request.endpoint.slug, request.pk])
    label = request.label or "the label"
    code = snippets.feedback_curl(request.endpoint, request.pk, label)
    return Step(title, why, labelled, url, "Label it on its page", code)

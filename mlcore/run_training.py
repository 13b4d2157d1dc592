"""What a tracked run keeps of a training, under the names the pages look for; touches no files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from mlcore.bundle import Provenance, running_versions
from mlcore.classifier import Classifier
from mlcore.evaluation import Report
from mlcore.history import Iteration
from mlcore.model_card import model_card_json
from mlcore.run_folder import DatasetSpec, ModelReport, RunFolder, json_bytes
from mlcore.run_names import LONGEST_DATASET
from mlcore.table import Table, canonical_csv
from mlcore.version import __version__

if TYPE_CHECKING:
    from mlcore.training import TrainingResult

SERIES = (
    "objective",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "gradient_norm",
    "decrement",
    "step",
    "seconds",
)
"""What a run keeps of every iteration, each as the metric ``epoch_<name>``."""


def versions() -> dict[str, str]:
    return {"mlcore": __version__, **running_versions()}


class Trained(Protocol):
    """What a training gives, whoever did it; the curves are empty where nothing was iterated."""

    @property
    def classifier(self) -> Classifier: ...

    @property
    def provenance(self) -> Provenance: ...

    @property
    def history(self) -> Sequence[Iteration]: ...

    @property
    def train(self) -> Report: ...

    @property
    def validation(self) -> Report: ...


def params(result: Trained) -> dict[str, object]:
    """The settings that took part: Newton has no learning rate, three classes no threshold."""
    return settings_of(result.classifier, result.provenance.spec)


def settings_of(classifier: Classifier, spec: Mapping[str, Any]) -> dict[str, object]:
    """The same of any classifier and the spec that its bundle holds."""
    settings = dict(spec)
    settings["columns"] = ", ".join(classifier.schema.names)
    idle = ("lr", "momentum", "epochs") if settings.get("solver") == "newton" else ()
    if classifier.threshold is None:
        idle = (*idle, "threshold", "positive", "calibration")
    else:
        settings["threshold"] = classifier.threshold
    return {name: value for name, value in settings.items() if name not in idle}


def metrics(result: Trained) -> Iterator[tuple[str, int, float]]:
    """(name, step, value): a curve point a series and iteration, then the two reports.

    A metric that is undefined has no point.
    """
    yield from curve(result.history)
    yield from summary({"train": result.train.as_dict(), "validation": result.validation.as_dict()})


def curve(history: Iterable[Iteration]) -> Iterator[tuple[str, int, float]]:
    """The points of some iterations, one a series and iteration."""
    for row in history:
        for name in SERIES:
            value = getattr(row, name, None)
            if value is not None:
                yield f"epoch_{name}", row.number, value


def summary(reports: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, int, float]]:
    """The points of the two reports, as a bundle holds them."""
    for part in ("train", "validation"):
        for name, value in reports[part].items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield f"{part}_{name}", 0, value


def data_name(result: TrainingResult) -> str:
    return result.holdout.name.removesuffix(" (validation rows)")


def described(
    run: RunFolder, classifier: Classifier, provenance: Provenance, *, dataset: str, sha256: str
) -> RunFolder:
    """The run with what is now known of its data set and its model."""
    solver = provenance.solver
    known = DatasetSpec(
        name=dataset[:LONGEST_DATASET],
        sha256=provenance.dataset_sha256,
        rows=sum(provenance.rows.values()),
        features=len(classifier.schema.columns),
        synthetic=provenance.synthetic,
    )
    model = ModelReport(solver["name"], classifier.converged, solver["iterations"], sha256)
    return replace(run, dataset=known, model=model, message=solver["message"])


def companions(
    classifier: Classifier, provenance: Provenance, holdout: Table | None
) -> dict[str, bytes]:
    """The files that go with a bundle, by their place in the run's folder."""
    profile = classifier.profile.to_dict()
    files = {
        "artifacts/model/model_card.json": model_card_json(classifier, provenance).encode(),
        "train_profile.json": json_bytes(profile, name="train_profile.json"),
    }
    if holdout is not None:
        files["artifacts/holdout.csv"] = canonical_csv(holdout.header, holdout.rows)
    return files

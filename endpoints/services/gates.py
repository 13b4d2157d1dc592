"""The checks that a version passes before it may answer; each gives a verdict with value and limit.

Gates read models and artefacts; they change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from endpoints.models import AlgorithmVersion
from endpoints.services import artifacts
from mlcore import artifact, datasets, evaluation
from mlcore.classifier import Classifier
from mlcore.errors import ArtifactError, MlcoreError, listed
from mlcore.metrics import METRIC_DIRECTION

Verdict = Literal["pass", "warn", "fail", "not_run"]


@dataclass(frozen=True)
class Gate:
    """One check as it stood: `value` against `limit`, both as text with their units."""

    name: str
    verdict: Verdict
    message: str
    value: str = ""
    limit: str = ""


def evaluate(version: AlgorithmVersion) -> list[Gate]:
    """Run every gate on a candidate."""
    smoke = smoke_test(version)
    if smoke.verdict == "fail":
        return [smoke, _not_run("Validation metric", "The artefact does not load.")]
    return [smoke, _same_question(version), _converged(version), _validation_metric(version)]


def smoke_test(version: AlgorithmVersion) -> Gate:
    """Reload the artefact from disk and score the probe rows that it carries."""
    name = "Artefact reload"
    try:
        report = artifact.smoke_test(artifacts.folder(version), sha256=version.artifact_sha256)
    except ArtifactError as error:
        return Gate(name, "fail", f"The artefact cannot be used: {error}")
    return Gate(
        name,
        "pass",
        "The stored file has the registered checksum and repeats its probabilities.",
        f"largest difference {report.largest_difference:.1g} on {report.rows} probe rows",
        "1e-12",
    )


def _same_question(version: AlgorithmVersion) -> Gate:
    """Callers must not notice: the same columns are asked for, and a number means the same class."""
    name = "Schema and classes"
    production = _production(version)
    if production is None:
        return _not_run(name, "There is no production version to compare with.")
    try:
        ours, theirs = artifacts.load(version), artifacts.load(production)
    except ArtifactError as error:
        return Gate(name, "warn", f"The two versions cannot be compared: {error}")
    problems = _differences(ours, theirs)
    if problems:
        return Gate(name, "fail", f"Callers of {production.label} would break: {problems}.")
    return Gate(
        name,
        "pass",
        f"It asks for the columns of {production.label} and answers with the same classes.",
        f"{len(ours.schema.columns)} columns, {_about_classes(ours)}",
    )


def _about_classes(classifier: Classifier) -> str:
    if classifier.is_binary:
        return f"positive class {classifier.classes[1]}"
    return f"{len(classifier.classes)} classes: {listed(classifier.classes)}"


def _differences(ours: Classifier, theirs: Classifier) -> str:
    problems = _other_classes(ours.classes, theirs.classes)
    asked, known = (
        {column.name: column.kind for column in c.schema.columns} for c in (ours, theirs)
    )
    new, gone = sorted(asked.keys() - known.keys()), sorted(known.keys() - asked.keys())
    changed = sorted(name for name in asked.keys() & known.keys() if asked[name] != known[name])
    problems += [f"new columns {listed(new)}"] if new else []
    problems += [f"columns no longer known {listed(gone)}"] if gone else []
    problems += [f"other kinds of {listed(changed)}"] if changed else []
    return "; ".join([*problems, *_stricter_columns(ours, theirs)])


def _stricter_columns(ours: Classifier, theirs: Classifier) -> Iterator[str]:
    """Cells that callers may send today and that would be refused."""
    before = {column.name: column for column in theirs.schema.columns}
    for column in ours.schema.columns:
        known = before.get(column.name, column)
        lost = sorted(set(known.levels) - set(column.levels))
        if lost:
            yield f"levels of {column.name} no longer known {listed(lost)}"
        if known.fill is not None and column.fill is None:
            yield f"{column.name} may no longer be missing"


def _other_classes(ours: tuple[str, ...], theirs: tuple[str, ...]) -> list[str]:
    if ours == theirs:
        return []
    if len(ours) == len(theirs) == 2:
        return [f"probabilities would be of “{ours[1]}” instead of “{theirs[1]}”"]
    if set(ours) == set(theirs):
        return [f"class numbers would mean {listed(ours)} instead of {listed(theirs)}"]
    return [f"answers would be one of {listed(ours)} instead of {listed(theirs)}"]


def _production(version: AlgorithmVersion) -> AlgorithmVersion | None:
    return version.endpoint.versions.in_production().exclude(pk=version.pk).first()


def _converged(version: AlgorithmVersion) -> Gate:
    if version.converged:
        return Gate("Solver converged", "pass", "The weights are at the optimum.")
    return Gate(
        "Solver converged",
        "warn",
        f"Its weights and explanations are not final: {version.run.message}.",
    )


def _validation_metric(version: AlgorithmVersion) -> Gate:
    """Compare candidate and production on the candidate's holdout rows."""
    name = "Validation metric"
    production = _production(version)
    if production is None:
        return _not_run(name, "There is no production version to compare with.")
    metric = version.endpoint.primary_metric
    try:
        holdout = datasets.read_csv(artifacts.holdout_file(version.run))
        candidate, rival = artifacts.load(version), artifacts.load(production)
        if set(candidate.classes) != set(rival.classes):
            return _not_run(name, "The two versions answer with different classes.")
        ours = getattr(evaluation.evaluate(candidate, holdout), metric)
        theirs = getattr(evaluation.evaluate(rival, holdout), metric)
    except (MlcoreError, OSError) as error:
        return Gate(name, "warn", f"The two versions cannot be compared on the same rows: {error}")
    if ours is None or theirs is None:
        return _not_run(name, "The metric is undefined: the rows do not hold every class.")
    return _verdict(version, production, ours, theirs)


def _verdict(
    version: AlgorithmVersion, production: AlgorithmVersion, ours: float, theirs: float
) -> Gate:
    endpoint = version.endpoint
    label = endpoint.get_primary_metric_display()
    worse_by = (theirs - ours) * METRIC_DIRECTION[endpoint.primary_metric]
    passed = worse_by <= endpoint.metric_tolerance
    comparison = "is not worse than" if passed else "is worse than"
    return Gate(
        "Validation metric",
        "pass" if passed else "fail",
        f"{version.label} {comparison} {production.label} on {label}, "
        f"both on the holdout rows of {version.label}.",
        f"{label} {ours:.4f}, {production.label} {theirs:.4f}",
        f"at most {endpoint.metric_tolerance:g} worse",
    )


def _not_run(name: str, why: str) -> Gate:
    return Gate(name, "not_run", why)

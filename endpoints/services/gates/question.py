"""Whether callers would notice: the same columns are asked for, and a number means the same class."""

from __future__ import annotations

from collections.abc import Iterator

from endpoints.services.gates.case import NO_RIVAL, Case
from endpoints.services.gates.gate import Check, Gate
from mlcore.classifier import Classifier
from mlcore.errors import ArtifactError, listed

SCHEMA = Check("schema", "Schema and classes")


def same_question(case: Case) -> Gate:
    try:
        ours, rival = case.model, case.rival
    except ArtifactError as error:
        return SCHEMA.gate("warn", f"The two versions cannot be compared: {error}")
    if rival is None:
        return SCHEMA.not_run(NO_RIVAL)
    problems = _differences(ours, rival.model)
    if problems:
        return SCHEMA.gate("fail", f"Callers of {rival.version.label} would break: {problems}.")
    return SCHEMA.gate(
        "pass",
        f"It asks for the columns of {rival.version.label} and answers with the same classes.",
        f"{len(ours.schema.columns)} columns, {_about_classes(ours)}",
    )


def _about_classes(classifier: Classifier) -> str:
    if classifier.is_binary:
        return f"positive class {classifier.classes[1]}"
    return f"{len(classifier.classes)} classes: {listed(classifier.classes)}"


def _differences(ours: Classifier, theirs: Classifier) -> str:
    problems = other_classes(ours.classes, theirs.classes)
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


def other_classes(ours: tuple[str, ...], theirs: tuple[str, ...]) -> list[str]:
    if ours == theirs:
        return []
    if len(ours) == len(theirs) == 2:
        return [f"probabilities would be of “{ours[1]}” instead of “{theirs[1]}”"]
    if set(ours) == set(theirs):
        return [f"class numbers would mean {listed(ours)} instead of {listed(theirs)}"]
    return [f"answers would be one of {listed(ours)} instead of {listed(theirs)}"]

"""What is to be trained, as a run keeps it: read from requests and forms, and made a spec by a worker.

The server reads with it, so what trains is loaded only where a spec is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from endpoints.errors import InvalidData, InvalidRequest
from endpoints.services.datasets.columns import is_feature
from endpoints.services.training_jobs.settings import (
    ALL,
    LOGISTIC,
    SETTINGS,
    SOLVERS_OF,
    TREES,
    Setting,
    Unfit,
    of_solver,
    refusal,
)
from endpoints.services.words import LONGEST_NAME, SOLVER_NAMES
from mlcore.errors import CellError, did_you_mean, listed, shown

if TYPE_CHECKING:
    from endpoints.services.training import Spec

QUESTION = ("target", "positive", "columns")
METHOD = ("algorithm", "solver")
BY_NAME: Mapping[str, Setting] = {
    name: setting for setting in SETTINGS for name in (setting.name, setting.key)
}
"""The settings by what they are called in requests, and in the parameters of a run."""
LONGEST_TEXT, MOST_COLUMNS = 10_000, 5_000
NO_FEATURE = (
    "No column looks like a feature: they hold one value, free text or identifiers. Name in columns what is "
    "to be learnt from."
)
NO_OTHER = "There is no column beside the target."
NO_TREES = "{} is trained by scikit-learn, which is not installed here: pip install scikit-learn."


def read(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what to train as a dict that JSON can hold, every setting of the solver with its value.

    Values may be text, as forms have them; an empty one counts as not given. Raises InvalidRequest
    with one cell for each field that is wrong, which is named in `column`.
    """
    fields = {name: value for name, value in given.items() if value not in ("", None)}
    problems: list[CellError] = []
    question = _question(fields, problems)
    solver = _solver(fields, problems)
    settings = _settings(fields, solver, problems)
    if problems:
        raise InvalidRequest(problems[0].message, cells=problems)
    return question | {"solver": solver} | settings


def from_dict(spec: Mapping[str, Any]) -> Spec:
    """Return the spec that a worker trains by. Raises DataError where it means nothing."""
    from endpoints.services.forests import ForestSpec
    from mlcore.training import TrainingSpec

    kind = ForestSpec if spec["solver"] in TREES else TrainingSpec
    columns = spec.get("columns")
    facts = dict(spec) | {"columns": tuple(columns) if columns else None}
    return kind(**facts)


def with_columns(spec: Mapping[str, Any], profile: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the spec with the columns that a dataset's profile calls features, where it names none.

    It names none still where they are all columns but the target. Raises InvalidData where no column is one.
    """
    if spec.get("columns"):
        return dict(spec)
    others = [column for column in profile if column["name"] != spec["target"]]
    names = [str(column["name"]) for column in others if is_feature(column)]
    if not names:
        message = NO_FEATURE if others else NO_OTHER
        raise InvalidData(message, cells=[CellError("wrong_value", message, column="columns")])
    return dict(spec) | {"columns": names if len(names) < len(others) else None}


def to_dict(spec: Spec) -> dict[str, Any]:
    """Return the spec as a run keeps it."""
    facts = asdict(spec)
    return facts | {"columns": list(spec.columns) if spec.columns else None}


def default_name(spec: Mapping[str, Any]) -> str:
    """Name a run after what is trained."""
    solver = SOLVER_NAMES[spec["solver"]]
    if spec["solver"] in TREES:
        depth = spec.get("max_depth")
        return solver if depth is None else f"{solver}, depth {depth}"
    penalty = spec["lambda_"]
    return f"{solver}, lambda {penalty if isinstance(penalty, str) else format(penalty, 'g')}"


def in_one_line(text: str) -> str:
    """Take a name as people see it: what looks the same is the same experiment."""
    return " ".join(text.split())


def check_names(*, experiment: str, name: str) -> None:
    for word, text in (("experiment", experiment), ("run's name", name)):
        if len(text) > LONGEST_NAME:
            raise InvalidRequest(
                f"The {word} has {len(text)} characters; {LONGEST_NAME} is the most."
            )


def refuse_untrainable(solver: str) -> None:
    """Say before a training is queued that no worker could do it."""
    if solver in TREES and find_spec("sklearn") is None:
        message = NO_TREES.format(SOLVER_NAMES[solver])
        raise InvalidRequest(message, cells=[CellError("not_installed", message, column="solver")])


def _question(fields: Mapping[str, Any], problems: list[CellError]) -> dict[str, Any]:
    found: dict[str, Any] = {"target": "", "positive": None, "columns": None}
    for name in ("target", "positive"):
        value = _as_text(fields.get(name)) if name == "positive" else fields.get(name)
        if _is_text(value):
            found[name] = value
        elif value is not None:
            problems.append(_wrong(name, "a text", value))
    if "target" not in fields:
        message = "target is missing: name the column to predict."
        problems.append(CellError("missing_field", message, column="target"))
    if "columns" in fields:
        found["columns"] = _columns(fields["columns"], problems)
    return found


def _columns(value: Any, problems: list[CellError]) -> list[str] | None:
    """Read a list of names, or a text with commas between them."""
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(map(_is_text, names)) or len(names) > MOST_COLUMNS:
        problems.append(_wrong("columns", f"a list of at most {MOST_COLUMNS:,} names", value))
        return None
    if not any(names) or len(set(names)) < len(names):
        problems.append(_wrong("columns", "one name at least, and each once", value))
        return None
    return names


def _as_text(value: Any) -> Any:
    """A class that is a number may be said as one: JSON writes 1 and 1.0 for the same."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return str(int(value)) if value % 1 == 0 else repr(value)


def _is_text(value: Any) -> bool:
    """A database keeps no NUL."""
    return isinstance(value, str) and len(value) <= LONGEST_TEXT and "\0" not in value


def _solver(fields: Mapping[str, Any], problems: list[CellError]) -> str:
    """The solver that was named, or the usual one of the algorithm."""
    algorithm = fields.get("algorithm")
    if algorithm is not None and algorithm not in tuple(SOLVERS_OF):
        problems.append(_wrong("algorithm", f"one of {listed(SOLVERS_OF)}", algorithm))
        return SOLVERS_OF[LOGISTIC][0]
    choices = ALL if algorithm is None else SOLVERS_OF[algorithm]
    solver = fields.get("solver", choices[0])
    if solver not in choices:
        problems.append(_wrong("solver", f"one of {listed(choices)}", solver))
        return choices[0]
    return str(solver)


def _settings(fields: Mapping[str, Any], solver: str, problems: list[CellError]) -> dict[str, Any]:
    found = {setting.key: setting.default for setting in of_solver(solver)}
    for name, value in fields.items():
        if name in (*QUESTION, *METHOD):
            continue
        setting = BY_NAME.get(name)
        if setting is None:
            problems.append(_unknown(name))
        elif solver not in setting.solvers:
            problems.append(_idle(name, setting.solvers, solver))
        else:
            _read_into(found, setting, value, problems)
    return found


def _read_into(
    found: dict[str, Any], setting: Setting, value: Any, problems: list[CellError]
) -> None:
    try:
        found[setting.key] = setting.read(value)
    except Unfit as wanted:
        problems.append(_wrong(setting.name, str(wanted), value))


def _wrong(name: str, wanted: str, value: Any) -> CellError:
    return CellError("wrong_value", refusal(name, wanted, value), column=name, value=shown(value))


def _idle(name: str, solvers: Iterable[str], solver: str) -> CellError:
    message = f"{name} belongs to {' and '.join(solvers)}; {solver} has no use for it."
    return CellError("idle_setting", message, column=name)


def _unknown(name: str) -> CellError:
    known = (*QUESTION, *METHOD, *(setting.name for setting in SETTINGS))
    message = f"{shown(name)} is not a setting here{did_you_mean(name, known) or '.'}"
    return CellError("unknown_field", message, column=name)

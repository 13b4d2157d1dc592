"""What is to be trained, read from requests and forms."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from endpoints.errors import InvalidData, InvalidRequest
from endpoints.services.forests import ForestSpec
from endpoints.services.training_jobs import settings, specs
from endpoints.services.words import SOLVER_NAMES
from mlcore.assembly import CalibrationMethod
from mlcore.errors import DataError
from mlcore.training import TrainingSpec


def refused(**asked: Any) -> dict[str | None, str]:
    """Return the messages by the field that they are about."""
    with pytest.raises(InvalidRequest) as found:
        specs.read(asked)
    assert found.value.message == found.value.cells[0].message
    return {cell.column: cell.message for cell in found.value.cells}


def test_it_works() -> None:
    spec = specs.read({"target": "Class", "solver": "gd", "epochs": 20})
    assert spec == {
        "target": "Class",
        "positive": None,
        "columns": None,
        "solver": "gd",
        "lambda_": 0.01,
        "lr": 0.01,
        "momentum": "none",
        "epochs": 20,
        "class_weight": "none",
        "calibration": "none",
        "threshold": 0.5,
        "test_size": 0.2,
        "seed": 7,
    }
    assert specs.from_dict(spec) == TrainingSpec(target="Class", solver="gd", epochs=20)


def test_a_form_says_the_same_in_texts() -> None:
    asked = {
        "target": "Class",
        "columns": "a, b",
        "lambda": "auto",
        "threshold": "0.4",
        "seed": "3",
    }
    spec = specs.from_dict(specs.read(asked | {"test_size": "", "positive": ""}))
    assert spec == TrainingSpec(
        target="Class", columns=("a", "b"), lambda_="auto", threshold=0.4, seed=3
    )


@pytest.mark.parametrize(
    ("asked", "solver"),
    [
        ({}, "newton"),
        ({"algorithm": "logistic_regression"}, "newton"),
        ({"algorithm": "logistic_regression", "solver": "gd"}, "gd"),
        ({"algorithm": "random_forest"}, "random_forest"),
        ({"solver": "extra_trees"}, "extra_trees"),
    ],
)
def test_the_algorithm_has_a_usual_solver(asked: dict[str, str], solver: str) -> None:
    assert specs.read({"target": "y"} | asked)["solver"] == solver


@pytest.mark.parametrize("solver", settings.ALL)
def test_the_defaults_are_those_of_the_command_line(solver: str) -> None:
    kind = ForestSpec if solver in settings.TREES else TrainingSpec
    spec = specs.from_dict(specs.read({"target": "y", "solver": solver}))
    assert spec == kind(target="y", solver=solver)  # type: ignore[arg-type]


@pytest.mark.parametrize("solver", settings.ALL)
def test_every_setting_of_the_spec_can_be_said(solver: str) -> None:
    known = {field.name for field in fields(TrainingSpec)} | {f.name for f in fields(ForestSpec)}
    assert known == {"target", "positive", "columns", "solver"} | {s.key for s in settings.SETTINGS}


def test_it_knows_every_solver_and_calibration() -> None:
    assert set(settings.ALL) == set(SOLVER_NAMES)
    calibration = specs.BY_NAME["calibration"]
    assert [calibration.read(name) for name in get_args(CalibrationMethod)]


def test_what_a_run_keeps_is_what_was_read() -> None:
    read = specs.read(
        {"target": "y", "algorithm": "random_forest", "columns": ["a"], "max_depth": 3}
    )
    assert specs.to_dict(specs.from_dict(read)) == read


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (1, "1"),
        (1.0, "1"),
        (0, "0"),
        (-2.5, "-2.5"),
        ("1.0", "1.0"),
        ("Besni", "Besni"),
        (None, None),
    ],
)
def test_a_class_that_is_a_number_may_be_said_as_one(said: Any, read: str | None) -> None:
    assert specs.read({"target": "y", "positive": said})["positive"] == read


PROFILE: list[dict[str, Any]] = [
    {"name": "id", "kind": "number", "feature": False},
    {"name": "Area", "kind": "number", "feature": True},
    {"name": "note", "kind": "text"},
    {"name": "colour", "kind": "category"},
    {"name": "y", "kind": "category", "feature": True},
]


def with_columns(profile: list[dict[str, Any]], **asked: Any) -> Any:
    spec = specs.read({"target": "y"} | asked)
    return specs.with_columns(spec, profile)["columns"]


def test_the_profile_decides_where_no_columns_are_named() -> None:
    assert with_columns(PROFILE) == ["Area", "colour"]
    assert with_columns(PROFILE, target="Area") == ["colour", "y"]


def test_whoever_names_columns_gets_them() -> None:
    assert with_columns(PROFILE, columns=["note", "id"]) == ["note", "id"]


def test_all_columns_need_no_names() -> None:
    assert with_columns([PROFILE[1], PROFILE[3], PROFILE[4]]) is None


def test_it_refuses_a_profile_without_features() -> None:
    with pytest.raises(InvalidData, match="No column looks like a feature") as found:
        with_columns([PROFILE[0], PROFILE[2], PROFILE[4]])
    assert found.value.cells[0].column == "columns"


def test_it_names_every_field_that_is_wrong() -> None:
    found = refused(solver="gd", lr="fast", epochs=0, momentum="some", test_size=1, threshold="x")
    assert found == {
        "target": "target is missing: name the column to predict.",
        "lr": "lr is a number from 1e-09 to 1e+06, or auto, not 'fast'.",
        "epochs": "epochs is a whole number from 1 to 10,000, not 0.",
        "momentum": "momentum is one of none, nesterov, not 'some'.",
        "test_size": "test_size is a number from 0.01 to 0.9, not 1.",
        "threshold": "threshold is accuracy, f1 or youden, cost:FP:FN, precision>=X, recall>=X or "
        "a number from 0 to 1, not 'x'.",
    }


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"epochs": 5}, "epochs belongs to gd; newton has no use for it."),
        (
            {"max_depth": 2},
            "max_depth belongs to decision_tree and random_forest and extra_trees; newton",
        ),
        ({"lamda": 1}, "'lamda' is not a setting here; did you mean \"lambda\"?"),
        ({"algorithm": "magic"}, "algorithm is one of logistic_regression, decision_tree"),
        ({"algorithm": "extra_trees", "solver": "gd"}, "solver is one of extra_trees, not 'gd'."),
        ({"columns": [1]}, "columns is a list of at most 5,000 names, not [1]."),
        ({"columns": []}, "columns is one name at least, and each once, not []."),
        ({"columns": ["a", "a"]}, "columns is one name at least, and each once"),
        ({"columns": ["a\0"]}, "columns is a list of at most 5,000 names"),
        ({"target": 7}, "target is a text, not 7."),
        ({"target": ["y"]}, "target is a text, not ['y']."),
        ({"positive": ["a"]}, "positive is a text, not ['a']."),
        ({"positive": True}, "positive is a text, not True."),
        ({"solver": ["gd"]}, "solver is one of newton, gd"),
        ({"algorithm": {"a": 1}}, "algorithm is one of"),
        ({"columns": {"a": 1}}, "columns is a list of at most 5,000 names"),
        ({"columns": [["a"]]}, "columns is a list of at most 5,000 names"),
        ({"threshold": {}}, "threshold is accuracy"),
        ({"class_weight": ["balanced"]}, "class_weight is one of"),
        ({"epochs": [5], "solver": "gd"}, "epochs is a whole number"),
        ({"positive": "a\0"}, "positive is a text, not 'a\\x00'."),
        ({"seed": True}, "seed is a whole number from 0 to 4,294,967,295, not True."),
        ({"seed": 1.5}, "seed is a whole number"),
        ({"lambda": float("nan")}, "lambda is a number from 0 to 1e+06, or auto, not nan."),
        ({"lambda": 10**400}, "lambda is a number from 0"),
        ({"threshold": [1]}, "threshold is accuracy"),
        ({"threshold": 2}, "threshold is accuracy"),
    ],
)
def test_it_refuses(asked: dict[str, Any], message: str) -> None:
    found = refused(**{"target": "y"} | asked)
    assert [text for text in found.values() if text.startswith(message)]


VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.lists(st.text(), max_size=3)
)


@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*specs.QUESTION, *specs.METHOD, *specs.BY_NAME]), VALUES))
def test_whatever_is_said_is_a_spec_or_refused(asked: dict[str, Any]) -> None:
    try:
        read = specs.read(asked)
    except InvalidRequest as error:
        assert {cell.column for cell in error.cells} <= {
            *specs.QUESTION,
            *specs.METHOD,
            *specs.BY_NAME,
        }
        return
    try:
        kept = specs.to_dict(specs.from_dict(read))
        assert {name: kept[name] for name in read} == read  # it has settings of other solvers too
    except DataError as error:
        pytest.fail(f"{read} was read, and cannot be trained: {error}")


def test_a_run_is_named_after_what_is_trained() -> None:
    read = specs.read
    assert specs.default_name(read({"target": "y", "lambda": 0.5})) == "Newton, lambda 0.5"
    assert specs.default_name(read({"target": "y", "lambda": "auto"})) == "Newton, lambda auto"
    tree = {"target": "y", "solver": "decision_tree"}
    assert specs.default_name(read(tree)) == "Decision tree"
    assert specs.default_name(read(tree | {"max_depth": 4})) == "Decision tree, depth 4"


def test_without_scikit_learn_trees_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(specs, "find_spec", lambda name: None)
    with pytest.raises(
        InvalidRequest, match="Random forest is trained by scikit-learn, which is not"
    ):
        specs.refuse_untrainable("random_forest")
    specs.refuse_untrainable("newton")

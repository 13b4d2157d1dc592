"""The form of a training: what it guesses, what follows from the target, what it hands on."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import QueryDict

from dashboard.presenters.datasets import ColumnRow, column_rows, likely_target
from dashboard.training_forms import MOST_BOXES, TrainingForm, answers_kept, answers_like
from endpoints.services.training_jobs.settings import SETTINGS
from tests.dashboard.stored import ANSWERS, COLUMNS, SPEC, category, column, number

TABLE = column_rows(COLUMNS, 900)


def sent(**answers: Any) -> QueryDict:
    data = QueryDict(mutable=True)
    for name, value in (ANSWERS | answers).items():
        data.setlist(name, value if isinstance(value, list) else [value])
    return data


def filled(table: list[ColumnRow] = TABLE, **answers: Any) -> TrainingForm:
    return TrainingForm(sent(**answers), table=table)


def test_it_works() -> None:
    form = filled()
    assert form.is_valid(), form.errors
    assert form.settings == {
        "target": "Class",
        "positive": "Besni",
        "columns": ["Area", "Extent", "Origin"],
        "solver": "newton",
        "lambda": 0.01,
        "class_weight": "none",
        "calibration": "none",
        "threshold": 0.5,
        "test_size": 0.2,
        "seed": 7,
    }


def test_it_guesses_the_last_category_and_the_rarer_class() -> None:
    form = TrainingForm(table=TABLE)
    assert form["target"].value() == "4"
    assert form["positive"].value() == "Besni"


@pytest.mark.parametrize(
    ("columns", "guess"),
    [
        ([number("Area"), number("left", distinct=2), number("Age", distinct=70)], "left"),
        ([category("Class", "a", "b"), number("left", distinct=2)], "Class"),
        ([category("Class", "a", "b"), category("note", *map(str, range(60)))], "Class"),
        ([number("Area"), column("Id", "text")], None),
    ],
)
def test_the_guess_of_the_target(columns: list[dict[str, Any]], guess: str | None) -> None:
    found = likely_target(column_rows(columns, 900))
    assert (found and found.name) == guess


@pytest.mark.parametrize(
    ("levels", "positive"),
    [
        ([["0", 10], ["1", 890]], "1"),
        ([["no", 10], ["Yes", 890]], "Yes"),
        ([["stays", 800], ["leaves", 100]], "leaves"),
        ([["b", 450], ["a", 450]], "a"),
    ],
)
def test_the_guess_of_the_positive_class(levels: list[list[Any]], positive: str) -> None:
    target = column("left", "category", distinct=2, levels=levels)
    form = TrainingForm(table=column_rows([number("Area"), target], 900))
    assert form["positive"].value() == positive


def test_the_target_is_no_column_and_texts_are_not_ticked() -> None:
    form = TrainingForm(table=TABLE)
    assert [column.name for _, column in form.boxes] == ["Area", "Extent", "Id", "Origin"]
    assert form["columns"].value() == ["0", "1", "3"]


def test_of_three_classes_none_is_positive() -> None:
    form = TrainingForm(initial={"target": "3"}, table=TABLE)
    assert "positive" not in form.fields
    assert [name for name, _ in form.classes] == ["north", "south", "west"]


def test_a_threshold_is_for_two_classes() -> None:
    form = filled(target="3", asked_of="3", columns=["0"], threshold="f1", calibration="platt")
    assert set(form.errors) == {"threshold", "calibration"}


def test_a_number_with_two_values_whose_names_are_unknown_chooses_by_itself() -> None:
    table = column_rows([number("Area"), number("left", distinct=2)], 900)
    form = filled(table, target="1", asked_of="1", positive="", columns=["0"])
    assert form.is_valid(), form.errors
    assert form.settings["positive"] is None


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("lambda", "much", "Write a number from 0 to 1e+06, or auto."),
        ("test_size", "1.5", "Write a number from 0.01 to 0.9."),
        ("seed", "-1", "Write a whole number from 0 to 4,294,967,295."),
        ("threshold", "recall>=2", "Write accuracy, f1 or youden"),
        ("class_weight", "heavy", "Write one of none, balanced."),
        ("experiment", " ", "Name an experiment."),
    ],
)
def test_it_says_at_the_field_what_it_can_be(field: str, text: str, said: str) -> None:
    form = filled(**{field: text})
    assert form.errors[field][0].startswith(said)


def test_a_mistake_in_a_setting_nobody_looks_at_is_none() -> None:
    form = filled(epochs="many", n_estimators="none at all")
    assert form.is_valid(), form.errors
    assert "epochs" not in form.settings


@pytest.mark.parametrize(
    ("algorithm", "solver", "own"),
    [
        ("logistic_regression", "gd", {"lambda", "lr", "momentum", "epochs"}),
        ("logistic_regression", "newton", {"lambda"}),
        ("decision_tree", "newton", {"max_depth", "min_samples_leaf"}),
        ("extra_trees", "gd", {"max_depth", "min_samples_leaf", "n_estimators"}),
    ],
)
def test_an_algorithm_gets_its_own_settings(algorithm: str, solver: str, own: set[str]) -> None:
    more = {"lr": "auto", "momentum": "none", "epochs": "50", "max_depth": ""}
    forest = {"n_estimators": "10", "min_samples_leaf": "5"}
    form = filled(algorithm=algorithm, solver=solver, **more, **forest)
    assert form.is_valid(), form.errors
    every = {"target", "positive", "columns", "solver", "class_weight", "calibration"}
    assert form.settings.keys() - every - {"threshold", "test_size", "seed"} == own


def test_every_setting_has_its_place_on_the_page() -> None:
    form = TrainingForm(table=TABLE)
    groups = (form.linear, form.gradient, form.trees, form.both)
    shown = sorted(field.name for group in groups for field in group)
    assert shown == sorted(["solver", *(setting.name for setting in SETTINGS)])


def test_without_a_column_there_is_nothing_to_learn_from() -> None:
    assert filled(columns=[]).errors["columns"] == ["Choose at least one column."]


def test_it_notices_that_the_page_showed_another_target() -> None:
    assert filled(target="3").is_stale
    assert not filled().is_stale


def test_another_target_keeps_the_answers_and_gives_the_old_one_back_as_a_column() -> None:
    kept = answers_kept(sent(target="3", columns=["0"], experiment="mine", epochs="40"), TABLE)
    form = TrainingForm(initial=kept, table=TABLE)
    assert form["columns"].value() == ["0", "4"]
    assert form["experiment"].value() == "mine"
    assert form["epochs"].value() == "40"
    assert "positive" not in kept


def test_the_answers_of_a_run_give_its_spec_again() -> None:
    initial = answers_like(SPEC, TABLE) | {"experiment": "grains"}
    form = TrainingForm(initial=initial, table=TABLE)
    answers = {name: form[name].value() for name in form.fields}
    again = TrainingForm(sent(**answers), table=TABLE)
    assert again.is_valid(), again.errors
    assert again.settings == {
        "lambda" if name == "lambda_" else name: value for name, value in SPEC.items()
    }


def test_a_table_of_very_many_columns_asks_for_those_to_leave_out() -> None:
    names = [f"c{place}" for place in range(MOST_BOXES + 1)]
    columns = [number(name) for name in names] + [column("Id", "text"), COLUMNS[-1]]
    table = column_rows(columns, 900)
    place = str(len(columns) - 1)
    form = TrainingForm(table=table)
    assert "columns" not in form.fields
    assert form["left_out"].value() == "Id"
    sent_back = filled(table, target=place, asked_of=place, left_out="Id\r\nc0\r\n")
    assert sent_back.is_valid(), sent_back.errors
    assert sent_back.settings["columns"] == names[1:]


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ("c0\nnever", "There is no column “never”."),
        ("\n".join(f"c{place}" for place in range(MOST_BOXES + 1)), "Leave at least one column."),
    ],
)
def test_what_is_left_out_is_there_and_not_everything(left_out: str, said: str) -> None:
    columns = [number(f"c{place}") for place in range(MOST_BOXES + 1)]
    place = str(len(columns))
    form = filled(
        column_rows([*columns, COLUMNS[-1]], 900), target=place, asked_of=place, left_out=left_out
    )
    assert form.errors["left_out"] == [said]

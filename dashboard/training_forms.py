"""What people fill in to start a training: which question, which columns, which algorithm with which settings.

It checks the shape of the answers and knows neither training nor solver: a worker has those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from dashboard.presenters.datasets import ColumnRow, likely_target
from dashboard.setting_fields import WORDS, SettingField
from endpoints.errors import DomainError
from endpoints.services.training_jobs.settings import (
    LOGISTIC,
    SETTINGS,
    SOLVERS_OF,
    TREES,
    of_solver,
)
from endpoints.services.words import LONGEST_NAME, SOLVER_NAMES

ALGORITHMS = {
    LOGISTIC: "Logistic regression: weights that people can read",
    "decision_tree": "Decision tree: questions one after another",
    "random_forest": "Random forest: the mean of many trees",
    "extra_trees": "Extra trees: many trees with random cuts",
}
BINARY_ONLY = {"threshold": 0.5, "calibration": "none"}
MOST_BOXES = 300
"""Columns that are chosen by boxes; of a table with more the left out ones are named."""
MOST_NAMED = 5
AFFIRMATIVE = ("1", "1.0", "true", "yes")
STALE = "The target is another one now. Look at the positive class and the columns once more."


class TrainingForm(forms.Form):
    """The settings are called as those of a spec. Columns are numbered: they may have any name."""

    target = forms.ChoiceField(
        label="Target",
        help_text="What is to be predicted: a column with 2 to 50 different values.",
        error_messages={"required": "Choose the column to predict."},
    )
    asked_of = forms.CharField(required=False, widget=forms.HiddenInput)
    positive = forms.ChoiceField(
        label="Positive class",
        required=False,
        help_text="The probabilities are of this class.",
    )
    columns = forms.MultipleChoiceField(
        label="Columns",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one column."},
    )
    left_out = forms.CharField(
        label="Columns left out",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text="One name a line. All others are used.",
    )
    algorithm = forms.ChoiceField(
        label="Algorithm", choices=ALGORITHMS.items(), initial=LOGISTIC, widget=forms.RadioSelect
    )
    solver = forms.ChoiceField(
        label="Solver",
        choices=[(name, SOLVER_NAMES[name]) for name in SOLVERS_OF[LOGISTIC]],
        help_text="Newton is exact in a few steps; gradient descent takes many small ones.",
    )
    experiment = forms.CharField(
        label="Experiment",
        max_length=LONGEST_NAME,
        help_text="Runs of one experiment are listed together.",
        widget=forms.TextInput(attrs={"list": "experiments", "autocomplete": "off"}),
        error_messages={"required": "Name an experiment."},
    )
    name = forms.CharField(
        label="Name of the run",
        required=False,
        max_length=LONGEST_NAME,
        help_text="If you leave it empty, it is named after its solver.",
    )

    def __init__(self, *args: Any, table: Sequence[ColumnRow], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table
        fields: Any = self.fields
        fields["target"].choices = [
            (str(column.position), column.name) for column in table if column.can_be_target
        ]
        fields |= {setting.name: SettingField(setting) for setting in SETTINGS}
        guess = likely_target(table)
        fields["target"].initial = str(guess.position) if guess else ""
        self._offer_classes(fields)
        self._offer_columns(fields)

    @cached_property
    def target_column(self) -> ColumnRow | None:
        """The target that is chosen, or guessed at first."""
        chosen = self["target"].value()
        return next(
            (each for each in self.table if each.can_be_target and str(each.position) == chosen),
            likely_target(self.table),
        )

    @property
    def classes(self) -> list[tuple[str, int]]:
        return self.target_column.levels if self.target_column else []

    @property
    def of_one_value(self) -> list[ColumnRow]:
        """Columns that might be meant, were not a class written as a missing value is."""
        return [each for each in self.table if each.distinct == 1 and each.missing][:MOST_NAMED]

    @property
    def boxes(self) -> list[tuple[Any, ColumnRow]]:
        """The boxes of the columns, each with what is known of its column."""
        by_place = {str(column.position): column for column in self.table}
        return [(box, by_place[str(box.data["value"])]) for box in self["columns"].subwidgets]

    @property
    def is_stale(self) -> bool:
        """Whether the page showed the classes and columns of another target."""
        return self.is_bound and self.data.get("asked_of", "") != self.data.get("target", "")

    @property
    def opens_more(self) -> bool:
        return any(name in self.errors for name in ("solver", *WORDS))

    @property
    def linear(self) -> list[forms.BoundField]:
        return [self["solver"], *self._settings_of(("newton", "gd"))]

    @property
    def gradient(self) -> list[forms.BoundField]:
        return self._settings_of(("gd",))

    @property
    def trees(self) -> list[forms.BoundField]:
        return [self["n_estimators"], *self._settings_of(TREES)]

    @property
    def both(self) -> list[forms.BoundField]:
        return [self[setting.name] for setting in SETTINGS if len(setting.solvers) > 3]

    @property
    def settings(self) -> dict[str, Any]:
        """The answers as a request names them: those that the chosen algorithm looks at."""
        answers, target = self.cleaned_data, self.target_column
        chosen = {setting.name: answers[setting.name] for setting in of_solver(self._solver)}
        return chosen | {
            "target": target.name if target else "",
            "positive": answers.get("positive") or None,
            "columns": [column.name for column in self._chosen_columns()],
            "solver": self._solver,
        }

    def clean_left_out(self) -> str:
        text: str = self.cleaned_data["left_out"]
        known = {column.name for column in self.table}
        unknown = [name for name in lines(text) if name not in known]
        if unknown:
            raise ValidationError(f"There is no column “{unknown[0]}”.")
        return text

    def clean_experiment(self) -> str:
        return " ".join(self.cleaned_data["experiment"].split())

    def clean_name(self) -> str:
        return " ".join(self.cleaned_data["name"].split())

    def clean(self) -> dict[str, Any]:
        """What the chosen algorithm has no use for cannot be wrong."""
        cleaned = super().clean() or {}
        looked_at = {setting.name for setting in of_solver(self._solver)}
        for name in (WORDS.keys() - looked_at) & self.errors.keys():
            del self.errors[name]
        if self.target_column is not None and self.target_column.distinct > 2:
            self._refuse_binary_settings(cleaned, self.target_column.distinct)
        if not self.errors and not self._chosen_columns():
            self.add_error("left_out", "Leave at least one column.")
        return cleaned

    def refuse(self, error: DomainError) -> str:
        """Show what a service found beside the fields; return what is of none."""
        if not error.cells:
            return error.message
        for cell in error.cells:
            place = cell.column if cell.column in self.fields else None
            self.add_error(place, cell.message.removeprefix(f"{cell.column}: "))
        return ""

    @property
    def _solver(self) -> str:
        solvers = SOLVERS_OF[self.cleaned_data.get("algorithm", LOGISTIC)]
        chosen = str(self.cleaned_data.get("solver", ""))
        return chosen if chosen in solvers else solvers[0]

    def _settings_of(self, solvers: Sequence[str]) -> list[forms.BoundField]:
        """The fields that these solvers look at and no others."""
        own = [setting for setting in SETTINGS if {*setting.solvers} == {*solvers}]
        return [self[setting.name] for setting in own]

    def _refuse_binary_settings(self, cleaned: Mapping[str, Any], classes: int) -> None:
        for name, usual in BINARY_ONLY.items():
            if cleaned.get(name, usual) != usual:
                self.add_error(name, f"For two classes alone; this target has {classes}.")

    def _chosen_columns(self) -> list[ColumnRow]:
        chosen = set(self.cleaned_data.get("columns", ()))
        if "left_out" in self.fields:
            out = {*lines(self.cleaned_data.get("left_out", ""))}
            return [column for column in self._features if column.name not in out]
        return [column for column in self._features if str(column.position) in chosen]

    @property
    def _features(self) -> list[ColumnRow]:
        return [column for column in self.table if column is not self.target_column]

    def _offer_classes(self, fields: Any) -> None:
        """Two classes have a positive one; of more, none is."""
        target = self.target_column
        fields["asked_of"].initial = str(target.position) if target else ""
        if target is None or target.distinct != 2:
            del fields["positive"]
            return
        names = [(name, f"{name} ({count:,} rows)") for name, count in target.levels]
        by_itself = ("", "The one called 1, true or yes; else the rarer")
        fields["positive"].required = len(names) == 2
        fields["positive"].choices = names if len(names) == 2 else [by_itself]
        fields["positive"].initial = likely_positive(target.levels)

    def _offer_columns(self, fields: Any) -> None:
        features = self._features
        if len(features) > MOST_BOXES:
            del fields["columns"]
            unusable = [column.name for column in features if not column.is_usable]
            fields["left_out"].initial = "\n".join(unusable)
            return
        del fields["left_out"]
        fields["columns"].choices = [(str(each.position), each.name) for each in features]
        fields["columns"].initial = [str(each.position) for each in features if each.is_usable]


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def likely_positive(levels: Sequence[tuple[str, int]]) -> str:
    """Return the class called 1, true or yes, else the rarer, as a training does by itself."""
    named = [name for name, _ in levels if name.casefold() in AFFIRMATIVE]
    if len(named) == 1 or not levels:
        return "".join(named)
    return min(levels, key=lambda level: (level[1], level[0]))[0]


def answers_like(spec: Mapping[str, Any], table: Sequence[ColumnRow]) -> dict[str, Any]:
    """Return the answers that ask for what a run was asked for, as far as the table has it."""
    places = {column.name: str(column.position) for column in table}
    solver = str(spec.get("solver", "newton"))
    known = {each.name: spec[each.key] for each in of_solver(solver) if each.key in spec}
    answers = known | {
        "algorithm": next(name for name, solvers in SOLVERS_OF.items() if solver in solvers),
        "solver": solver,
        "target": places.get(str(spec.get("target")), ""),
        "positive": spec.get("positive") or "",
    }
    columns = spec.get("columns")
    if columns is not None:
        answers["columns"] = [places[name] for name in columns if name in places]
        answers["left_out"] = "\n".join(name for name in places if name not in set(columns))
    return answers


def answers_kept(data: Any, table: Sequence[ColumnRow]) -> dict[str, Any]:
    """Return what was filled in, for a form that is shown anew because its target changed."""
    kept = {name: data[name] for name in (*TrainingForm.base_fields, *WORDS) if name in data}
    before = data.get("asked_of", "")
    if before != data.get("target"):
        kept.pop("positive", None)
    kept.pop("asked_of", None)
    was_target = [str(each.position) for each in table if each.is_usable]
    kept["columns"] = data.getlist("columns") + [place for place in was_target if place == before]
    return kept

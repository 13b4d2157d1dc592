"""The part of the filter of predictions that looks into their rows; knows no query of the log."""

from __future__ import annotations

import math
from typing import Any

from django import forms

from endpoints.errors import InvalidRequest, NoModel
from endpoints.matching import OF_A_FEATURE, Cells, Matcher, Wanted, matcher
from endpoints.models import Endpoint
from endpoints.services import serving
from endpoints.services.access import Caller, Need

NAMED = (Cells.LEVEL, Cells.PREDICTED)


class CellsForm(forms.Form):
    """`matcher` finds the rows that were asked for, once the form is valid; None for all rows.

    Whoever may not see inputs could find them out by asking often enough, so they may not ask.
    """

    cells = forms.ChoiceField(label="Rows", choices=(("", "Any"), *Cells.choices), required=False)
    feature = forms.CharField(label="Feature", required=False, strip=False)
    above = forms.FloatField(label="Above", required=False)
    up_to = forms.FloatField(label="Up to", required=False)
    level = forms.CharField(label="Level or class", required=False, strip=False)

    endpoint: Endpoint
    caller: Caller
    matcher: Matcher | None = None

    def clean(self) -> dict[str, Any]:
        asked: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return asked
        if asked["cells"]:
            self._check(asked)
        elif any(asked[name] not in ("", None) for name in ("feature", "above", "up_to", "level")):
            self.add_error("cells", "Choose which rows to look for.")
        if not self.errors and asked["cells"]:
            self._find_matcher(asked)
        return asked

    def _check(self, asked: dict[str, Any]) -> None:
        cells = asked["cells"]
        if asked.get("version") is None:
            self.add_error("version", "Choose a version: each has a training of its own.")
        if cells in NAMED and not asked["level"]:
            self.add_error("level", "Name the level or class to look for.")
        if cells not in OF_A_FEATURE:
            return
        if not asked["feature"]:
            self.add_error("feature", "Name the feature to look at.")
        if not self.caller.may(Need.VIEW_INPUTS, self.endpoint):
            self.add_error("cells", "Whoever may not see inputs cannot look for them.")

    def _find_matcher(self, asked: dict[str, Any]) -> None:
        """A version that is not there has no rows at all, so nothing has to tell them apart."""
        version = self.endpoint.versions.filter(number=asked["version"]).first()
        if version is None:
            return
        ends = {
            "above": -math.inf if asked["above"] is None else asked["above"],
            "up_to": math.inf if asked["up_to"] is None else asked["up_to"],
        }
        wanted = Wanted(asked["cells"], asked["feature"], level=asked["level"], **ends)
        try:
            self.matcher = matcher(serving.load(version), wanted)
        except InvalidRequest as error:
            self.add_error("level" if wanted.cells == Cells.PREDICTED else "feature", error.message)
        except NoModel as error:
            self.add_error("version", error.message)

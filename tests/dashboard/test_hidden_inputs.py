"""Who may not see inputs sees no contributions: a weight and a contribution give the value away.

What was typed in on the Try page is no secret to whoever may type there.
"""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from endpoints.models import PredictionRequest
from endpoints.models.prediction import Source
from tests import cast
from tests.dashboard.conftest import Browse, Site
from tests.dashboard.pages import text_of


@pytest.mark.parametrize(("person", "sees"), [("ana", True), ("eve", False)])
def test_it_works(
    site: Site, browse: Browse, request: pytest.FixtureRequest, person: str, sees: bool
) -> None:
    user: User = request.getfixturevalue(person)
    said = text_of(browse(user).get(f"/endpoints/raisin/predictions/{site.prediction.pk}/"))
    assert ("Sum so far" in said) is sees
    assert ("Contributions tell the inputs" in said) is not sees
    assert all(str(value) not in said for value in cast.ROW.values()) or sees


@pytest.mark.parametrize(("person", "sees"), [("dev", True), ("eve", False)])
def test_what_was_tried_by_hand_is_open_to_who_may_try(
    site: Site, browse: Browse, request: pytest.FixtureRequest, person: str, sees: bool
) -> None:
    PredictionRequest.objects.filter(pk=site.prediction.pk).update(source=Source.TRY)
    reader = browse(request.getfixturevalue(person))
    said = text_of(reader.get(f"/endpoints/raisin/predictions/{site.prediction.pk}/"))
    assert ("Sum so far" in said) is sees
    again = reader.get(f"/endpoints/raisin/try/?from={site.prediction.pk}")
    assert (again.status_code == 200) is sees


def test_it_refuses_to_start_a_try_from_hidden_inputs(
    site: Site, dev: User, browse: Browse
) -> None:
    response = browse(dev).get(f"/endpoints/raisin/try/?from={site.prediction.pk}")
    assert response.status_code == 403
    assert "endpoints.view_inputs" in text_of(response)

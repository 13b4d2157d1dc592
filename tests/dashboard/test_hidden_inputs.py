"""Who may not see inputs sees no contributions: a weight and a contribution give the value away."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

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

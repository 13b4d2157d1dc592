"""Which class a label means: a name; a number by its value, or by index where classes are words."""

from __future__ import annotations

import pytest

from endpoints.errors import InvalidRequest
from endpoints.services.label_classes import Classes

WORDS = ("Kecimen", "Besni")


@pytest.mark.parametrize(
    ("classes", "label", "meant"),
    [
        (WORDS, "Besni", "Besni"),
        (WORDS, 0, "Kecimen"),
        (WORDS, 1, "Besni"),
        (("1.0", "0.0"), 1, "1.0"),
        (("1.0", "0.0"), 0, "0.0"),
        (("2", "1"), 1, "1"),
        (("2", "1"), 2, "2"),
        (("0", "1"), "1", "1"),
        (("0", "1"), 1.0, "1"),
        (("0", "1"), "1.0", "1"),
        (("0.5", "1.5", "2.5"), 0.5, "0.5"),
    ],
)
def test_it_works(classes: tuple[str, ...], label: str | float, meant: str) -> None:
    assert Classes(classes).meant(label) == meant


@pytest.mark.parametrize(
    ("classes", "label"),
    [(WORDS, 2), (WORDS, -1), (WORDS, "besni"), (("2", "1"), 0), (WORDS, "1"), (WORDS, 1.0)],
)
def test_it_refuses_what_is_no_class(classes: tuple[str, str], label: str | float) -> None:
    with pytest.raises(InvalidRequest, match="is not a label"):
        Classes(classes).meant(label)

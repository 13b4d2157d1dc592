"""The codes of refused requests, in words."""

from __future__ import annotations

from dashboard.presenters import refusals
from endpoints import errors
from endpoints.errors import DomainError

NEVER_AT_A_PREDICTION = {
    "conflict",
    "gate_failed",
    "gone",
    "invalid_bundle",
    "invalid_data",
    "invalid_transition",
}


def test_it_works() -> None:
    found = refusals.told({"too_large": 1, "invalid_rows": 3})
    assert [(refusal.code, refusal.share) for refusal in found] == [
        ("invalid_rows", 0.75),
        ("too_large", 0.25),
    ]


def test_every_error_has_a_sentence() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {kind.code for kind in kinds if issubclass(kind, DomainError) and kind != DomainError}
    assert codes - NEVER_AT_A_PREDICTION == set(refusals.MEANINGS)


def test_an_unknown_code_is_told_without_one() -> None:
    assert refusals.told({"of_tomorrow": 1})[0].meaning == "The request was refused."

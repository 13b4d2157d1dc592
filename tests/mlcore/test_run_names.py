"""What may name or fill a part of a run: one rule for all systems, checked before anything is written."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import DataError
from mlcore.run_names import (
    HIGHEST_STEP,
    LONGEST_KEY,
    LONGEST_NAME,
    LONGEST_TEXT,
    as_text,
    check_file_path,
    check_folder_name,
    check_key,
    check_run_id,
    check_step,
    check_value,
    storable,
)


@pytest.mark.parametrize(
    "name", ["raisin", "raisin 2", "Käse-Analyse", "v1.2", "console", "a" * 120]
)
def test_it_works(name: str) -> None:
    assert check_folder_name(name, what="experiment") == name


@pytest.mark.parametrize(
    "name",
    [
        "", " ", ".", "..", ".hidden", "../up", "a/b", "a\\b", "/etc", "C:", "c:\\x", "a\x00b", "a\nb",
        "CON", "nul.txt", "Com1", "lpt9.tar.gz", "com²", "dot.", "blank ", "what?", "a*", "a|b", 'a"b',
        "<a>", "\x7f", "\ud800", "a" * 121, "ä" * 101,
    ],
)  # fmt: skip
def test_it_refuses_folder_names_that_lead_elsewhere_or_work_on_some_systems_only(
    name: str,
) -> None:
    with pytest.raises(DataError, match="the experiment"):
        check_folder_name(name, what="experiment")


def test_it_refuses_what_is_no_text() -> None:
    with pytest.raises(DataError, match="is no text"):
        check_folder_name(None, what="experiment")  # type: ignore[arg-type]


def test_a_file_may_lie_in_folders() -> None:
    assert check_file_path("plots/2026/roc.png") == ("plots", "2026", "roc.png")


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../../x", "a/../b", "a//b", "a/", "", "a/nul/b", "/".join("abcdefghijk")],
)
def test_it_refuses_file_names_that_lead_elsewhere(name: str) -> None:
    with pytest.raises(DataError, match="the file name"):
        check_file_path(name)


@given(st.text(max_size=30))
def test_whatever_is_accepted_stays_inside(name: str) -> None:
    """Property: an accepted name makes a file below the folder, under exactly that name."""
    try:
        parts = check_file_path(name)
    except DataError:
        return
    with TemporaryDirectory() as folder:
        path = Path(folder).joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        (found,) = (file for file in Path(folder).rglob("*") if file.is_file())
        assert found.relative_to(folder).as_posix() == name


def test_keys_are_longer_than_names() -> None:
    assert check_key("k" * LONGEST_KEY, what="metric")
    with pytest.raises(DataError, match=f"longer than {LONGEST_KEY}"):
        check_key("k" * (LONGEST_KEY + 1), what="metric")
    assert LONGEST_NAME < LONGEST_KEY


def test_values_become_texts() -> None:
    assert [as_text(v, what="parameter") for v in (None, 0.1, True, "x\ny")] == [
        "", "0.1", "True", "x\ny",
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["a\x00b", "\udc80", "x" * (LONGEST_TEXT + 1)])
def test_it_refuses_texts_that_no_database_keeps(value: str) -> None:
    with pytest.raises(DataError, match="the parameter"):
        as_text(value, what="parameter")


def test_the_reason_of_a_failure_is_mended_not_refused() -> None:
    assert storable("half \ud800 of\x00it") == "half \\ud800 of it"
    assert len(storable("x" * (LONGEST_TEXT + 1))) == LONGEST_TEXT


@pytest.mark.parametrize("value", [0.1, 3, True, np.float32(0.5), np.int64(3), -0.0, 5e-324])
def test_numbers_of_all_kinds_are_values(value: float) -> None:
    assert check_value(value, name="loss") == float(value)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, np.float64("nan"), 10**400, "0.5", None, 1j, [1.0]]
)
def test_it_refuses_values_that_cannot_be_compared_and_names_the_metric(value: object) -> None:
    with pytest.raises(DataError, match='the metric "loss"'):
        check_value(value, name="loss")


def test_steps_are_whole_numbers() -> None:
    assert [check_step(step, name="loss") for step in (0, np.int64(7), HIGHEST_STEP)] == [
        0, 7, HIGHEST_STEP,
    ]  # fmt: skip


@pytest.mark.parametrize("step", [-1, HIGHEST_STEP + 1, 1.0, 1.5, math.nan, "1", None])
def test_it_refuses_other_steps(step: object) -> None:
    with pytest.raises(DataError, match='the step of "loss"'):
        check_step(step, name="loss")


def test_ids_are_of_one_form() -> None:
    assert check_run_id("0123456789abcdef" * 2)
    for wrong in ("", "0" * 31, "0" * 33, "G" * 32, "A" * 32, "0" * 32 + "\n", "../" + "0" * 29):
        with pytest.raises(DataError, match="32 hexadecimal digits"):
            check_run_id(wrong)

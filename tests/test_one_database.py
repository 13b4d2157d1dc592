"""The tests that run on SQLite alone: a list of files that are there, none of which writes across tables."""

from __future__ import annotations

from tests.live import ROOT

LISTED = (ROOT / "tests" / "one_database.txt").read_text(encoding="utf-8").split()
BOTH = ("tests/endpoints/services/", "tests/endpoints/commands/", "tests/serving/")


def test_each_is_there_once() -> None:
    assert [path for path in LISTED if not (ROOT / path).is_file()] == []
    assert sorted(set(LISTED)) == LISTED


def test_services_commands_and_processes_run_on_both() -> None:
    assert [path for path in LISTED if path.startswith(BOTH)] == []


def test_nothing_of_them_holds_on_one_database_alone() -> None:
    """Who looks at the kind of database, or lets threads compete for it, runs on both."""
    words = ("connection.vendor", "transaction=True", "DATABASE_URL")
    found = {path for path in LISTED for word in words if word in (ROOT / path).read_text("utf-8")}
    assert found == set()

"""What one process has for itself until it ends, however it ends."""

from __future__ import annotations

from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Any

import pytest

from endpoints.services.large import scratch


def test_one_is_alone_and_the_lock_goes(tmp_path: Path) -> None:
    lock = tmp_path / "new" / "a.lock"
    with scratch.alone(lock):
        assert lock.exists()
        with pytest.raises(BlockingIOError), scratch.alone(lock):
            pass
        assert lock.exists()
    assert not lock.exists()


def test_what_a_killed_process_left_locks_nobody_out(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    lock.touch()
    with scratch.alone(lock):
        pass
    assert not lock.exists()


def test_a_lock_that_was_removed_in_this_moment_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, calls = tmp_path / "a.lock", []

    def just_removed(file: Any, how: int) -> None:
        calls.append(how)
        if len(calls) == 1:
            lock.unlink()
        flock(file, how)

    monkeypatch.setattr(scratch, "flock", just_removed)
    with scratch.alone(lock), lock.open("rb") as other:
        assert calls == [LOCK_EX | LOCK_NB] * 2
        with pytest.raises(BlockingIOError):
            flock(other, LOCK_EX | LOCK_NB)


def test_a_folder_that_nobody_holds_is_cleared_away(tmp_path: Path) -> None:
    with scratch.folder(tmp_path) as held:
        (tmp_path / "left").mkdir()
        (tmp_path / "left.lock").touch()
        scratch.clear(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == [held.name, f"{held.name}.lock"]
    assert list(tmp_path.iterdir()) == []


def test_who_clears_may_hold_the_lock_of_a_new_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def held_at_first(file: Any, how: int) -> None:
        tried.append(Path(file.name).stem)
        if len(tried) > 1:
            flock(file, how)
            return
        with Path(file.name).open("rb") as other:
            flock(other, LOCK_EX | LOCK_NB)
            try:
                flock(file, how)
            finally:
                Path(file.name).unlink()

    monkeypatch.setattr(scratch, "flock", held_at_first)
    with scratch.folder(tmp_path) as held:
        assert held.is_dir()
        assert [name == held.name for name in tried] == [False, True]
    assert list(tmp_path.iterdir()) == []


def test_there_may_be_nothing_to_clear_away(tmp_path: Path) -> None:
    scratch.clear(tmp_path / "never")
    assert not (tmp_path / "never").exists()

"""Runs something in a process that is killed (SIGKILL) at its n-th word to the database."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, connections


def killed_at(point: int, act: Callable[[], object]) -> bool:
    """Do it in a child process killed at this point, from 1; say whether it ended before that.

    The points: before each statement (BEGIN and savepoints are statements too), before each
    commit, and after each commit.
    """
    _let_go()
    child = os.fork()
    if child == 0:
        _end(point, act)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return False
    assert os.WEXITSTATUS(status) == 0, "the child process failed; its traceback is above"
    return True


def _end(point: int, act: Callable[[], object]) -> None:
    """Never return into the tests of the parent."""
    code = 1
    try:
        with _fatal(point):
            act()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


@contextmanager
def _fatal(point: int) -> Iterator[None]:
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        if count == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def before_statement(execute: Callable[..., Any], *arguments: Any) -> Any:
        step()
        return execute(*arguments)

    commit = connection.commit

    def around_commit() -> None:
        step()
        commit()
        step()

    connection.commit = around_commit  # type: ignore[method-assign]
    with connection.execute_wrapper(before_statement):
        yield


def _let_go() -> None:
    """A connection must not be shared by two processes."""
    connections.close_all()
    if connection.vendor == "postgresql":
        connection.close_pool()  # type: ignore[attr-defined]

"""How a script is told what to ask and says what it found: JSON on standard input and output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any


def given() -> Any:
    return json.load(sys.stdin)


def say(found: dict[str, Any]) -> None:
    json.dump(found, sys.stdout)


def refusal(kind: type[Exception], call: Callable[..., Any], *args: Any, **options: Any) -> str:
    """Return the text of the client's own exception; an answer instead is an error."""
    try:
        answer = call(*args, **options)
    except kind as error:
        return str(error)
    raise AssertionError(f"this should have been refused: {answer}")

"""What can go wrong in mlcore, and how it is worded; knows nothing of HTTP, pages or files.

Every error names the place (row or line, column, value) and the way out. A caller reads
``code`` and ``cells``; a person reads the message.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

MOST_CELLS = 100
"""Problems that one refused request lists; more would only make the reply long."""
MOST_LINES = 20
"""The same of a refused file."""

_SHOWN = 80
_LISTED = 20


@dataclass(frozen=True)
class CellError:
    """One bad cell.

    ``row`` is the 0-based row of a request, or the physical line number of a file.
    """

    code: str
    message: str
    row: int | None = None
    column: str | None = None
    value: str | None = None


class MlcoreError(Exception):
    """The root of every error this package raises on purpose."""

    code: ClassVar[str] = "mlcore_error"


class _CellsError(MlcoreError):
    def __init__(self, message: str, cells: Sequence[CellError] = ()) -> None:
        super().__init__(message)
        self.cells = tuple(cells)

    @classmethod
    def of(cls, cells: Sequence[CellError], *, place: str) -> Self:
        """The error whose message is the first cell's, with its place and how many follow."""
        first, others = cells[0], len(cells) - 1
        where = f"{place} {first.row}" if first.row is not None else ""
        if first.column is not None:
            where += f", column {first.column}" if where else f"column {first.column}"
        least = "at least " if len(cells) >= MOST_CELLS else ""
        more = f" (and {least}{others} more problem{'s' if others > 1 else ''})" if others else ""
        return cls(f"{where}: {first.message}{more}" if where else first.message + more, cells)


class SchemaError(_CellsError):
    """Rows to predict do not fit the classifier's schema; ``cells`` holds every problem."""

    code = "schema_error"


class DataError(_CellsError):
    """A table or a setting cannot be trained on; ``cells`` is empty for table-wide problems."""

    code = "data_error"


def at_lines(errors: Sequence[CellError]) -> DataError:
    """One DataError for bad cells of a file: the first 20 by line."""
    ordered = sorted(errors, key=lambda error: error.row or 0)
    return DataError.of(ordered[:MOST_LINES], place="line")


class DescentError(DataError):
    """A descent to go on from belongs to other rows or settings."""


class ArtifactError(MlcoreError):
    """A model bundle is damaged, foreign or not the one that was asked for."""

    code = "artifact_error"


class NotConvergedWarning(UserWarning):
    """The solver stopped before the optimum: coefficients and explanations are provisional."""


class _Short(reprlib.Repr):
    """A bounded repr: nesting, length and digits are cut before they cost anything."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxdict, self.maxstring = 3, 4, 4, _SHOWN

    def repr_int(self, x: int, level: int) -> str:
        # CPython refuses to print integers of more than 4300 digits.
        return repr(x) if x.bit_length() < 512 else f"an integer of {x.bit_length()} bits"


_short = _Short()


def shown(value: object) -> str:
    r"""The value as an error shows it: a repr of at most 80 characters that UTF-8 can encode.

    >>> shown("12,5"), shown(10**5000), shown("\ud800")
    ("'12,5'", 'an integer of 16610 bits', "'\\ud800'")
    """
    return cut(_short.repr(value))


def cut(text: str) -> str:
    """At most 80 characters of the text, lone surrogates escaped."""
    text = text[: _SHOWN + 1].encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def listed(names: Iterable[str], *, limit: int = _LISTED) -> str:
    """The names in one phrase, the later ones only counted.

    >>> listed(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    names = list(names)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(cut(name) for name in names[:limit]) + more


def did_you_mean(name: object, names: Iterable[str]) -> str:
    """The nearest of the names as the end of a sentence, or nothing when none is near.

    >>> did_you_mean("aera", ["Area", "Extent"])
    '; did you mean "Area"?'
    """
    if not isinstance(name, str):
        return ""
    from difflib import get_close_matches  # 4 ms of import for a path that only errors take

    folded = {known.casefold(): known for known in names}
    near = get_close_matches(cut(name).casefold(), folded, n=1)
    return f'; did you mean "{cut(folded[near[0]])}"?' if near else ""

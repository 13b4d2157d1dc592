"""What may name or fill a part of a tracked run; knows no files and no formats.

A run is made on one machine and read on another, so the rules are those of the strictest of them:
file names that Windows, macOS and Linux all take, and texts that every database can store.
"""

from __future__ import annotations

import math
import re
from numbers import Real
from operator import index

from mlcore.errors import DataError, shown

LONGEST_NAME = 120
"""Characters of the name of a run or an experiment."""
LONGEST_KEY = 250
"""Characters of the name of a parameter, metric or tag."""
LONGEST_DATASET = 200
"""Characters of the name of a data set."""
LONGEST_TEXT = 1_000_000
"""Characters of the value of a parameter or tag."""
HIGHEST_STEP = 2**31 - 1

_LONGEST_PART = 200  # bytes; file systems allow 255, and drafts add a few
_DEEPEST = 10
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\/]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_RUN_ID = re.compile(r"[0-9a-f]{32}")


def check_run_id(text: str) -> str:
    """The id itself; DataError unless it is 32 lower-case hexadecimal digits."""
    if not _RUN_ID.fullmatch(text):
        raise DataError(f"a run's id is 32 hexadecimal digits, not {shown(text)}")
    return text


def check_folder_name(name: str, *, what: str) -> str:
    """The name itself, if a folder or file can have it on every system; DataError otherwise.

    >>> check_folder_name("raisin 2", what="experiment")
    'raisin 2'
    >>> check_folder_name("../etc", what="experiment")
    Traceback (most recent call last):
    ...
    mlcore.errors.DataError: the experiment '../etc' contains '/'; leave it out
    """
    check_name(name, what=what)
    found = _FORBIDDEN.search(name)
    if found:
        raise DataError(f"the {what} {shown(name)} contains {shown(found.group())}; leave it out")
    if name.startswith(".") or name.endswith((".", " ")):
        raise DataError(f"the {what} {shown(name)} starts or ends with a dot or ends with a blank")
    if _DEVICES.fullmatch(name):
        raise DataError(f"the {what} {shown(name)} names a device on Windows; choose another name")
    if len(name.encode()) > _LONGEST_PART:
        raise DataError(f"the {what} {shown(name)} is longer than {_LONGEST_PART} bytes of UTF-8")
    return name


def check_file_path(name: str) -> tuple[str, ...]:
    """The parts of a relative file name with slashes; DataError for one that leads elsewhere.

    >>> check_file_path("plots/roc.png")
    ('plots', 'roc.png')
    """
    if name.startswith("/"):
        raise DataError(f"the file name {shown(name)} is absolute; name it relative to the run")
    parts = tuple(name.split("/"))
    if len(parts) > _DEEPEST:
        raise DataError(f"the file name {shown(name)} has more than {_DEEPEST} levels")
    return tuple(check_folder_name(part, what="file name") for part in parts)


def check_name(name: str, *, what: str, longest: int = LONGEST_NAME) -> str:
    """The name itself; DataError when it is empty, too long, or no text on one line."""
    check_text(name, what=what, longest=longest)
    if not name.strip():
        raise DataError(f"the {what} is empty; give it a name")
    if any(ord(character) < 32 for character in name):
        raise DataError(f"the {what} {shown(name)} contains control characters")
    return name


def check_key(key: str, *, what: str) -> str:
    """The name of a parameter, metric or tag itself; DataError for one that cannot be kept."""
    return check_name(key, what=what, longest=LONGEST_KEY)


def check_text(text: str, *, what: str, longest: int = LONGEST_TEXT) -> str:
    """The text itself; DataError when it is too long, or holds NUL or half a character."""
    if not isinstance(text, str):
        raise DataError(f"the {what} {shown(text)} is no text")
    if len(text) > longest:
        raise DataError(f"the {what} {shown(text)} is longer than {longest} characters")
    if "\x00" in text or not _encodes(text):
        raise DataError(f"the {what} {shown(text)} holds NUL or a lone surrogate")
    return text


def as_text(value: object, *, what: str) -> str:
    """The value as a parameter or tag keeps it, None as an empty text; DataError as above."""
    return check_text("" if value is None else str(value), what=what)


def storable(text: str) -> str:
    """The text without what no database stores: the reason of a failure is never refused."""
    return text.replace("\x00", " ").encode("utf-8", "backslashreplace").decode()[:LONGEST_TEXT]


def check_value(value: object, *, name: str) -> float:
    """The metric's value as a float; DataError unless it is a finite number."""
    if not isinstance(value, Real):
        raise DataError(f'the metric "{name}" is {shown(value)}, not a number')
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise DataError(
            f'the metric "{name}" is {shown(value)}: only finite numbers can be compared; '
            "leave out a metric that is undefined"
        )
    return number


def check_step(step: object, *, name: str) -> int:
    """The step as an int; DataError unless it is a whole number from 0 to 2^31 - 1."""
    try:
        number = index(step)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if not 0 <= number <= HIGHEST_STEP:
        raise DataError(f'the step of "{name}" is {shown(step)}, not a whole number from 0 on')
    return number


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

"""Who a program is, by the text of its API key; remembered, so that not each request need ask.

A key that is revoked or changed ends everywhere within RAISIN_REFRESH_SECONDS.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from datetime import datetime
from threading import Lock
from time import monotonic

from django.conf import settings

from endpoints.errors import InvalidKey
from endpoints.services import keys
from endpoints.services.access import Caller

SCHEMES = frozenset({"bearer", "api-key"})
REMEMBERED = 1_000
"""Keys; of a flood of others the oldest are forgotten."""

NOBODY = Caller()


def by_header(authorization: str, now: datetime) -> Caller:
    """Return who sends this Authorization header. Raises InvalidKey.

    A key that does not work is refused even where nobody needs one: its sender is mistaken.
    """
    if not authorization:
        return NOBODY
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() not in SCHEMES:
        raise InvalidKey("Send the API key as “Authorization: Bearer <key>”.")
    return _known.get(text.strip(), now)


class _Known:
    """Callers by the digest of their key, so that no key stays in memory."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._callers: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()

    def get(self, text: str, now: datetime) -> Caller:
        digest, moment = hashlib.sha256(text.encode("utf-8", "replace")).digest(), monotonic()
        found = self._callers.get(digest)
        if found is not None and moment < found[0]:
            return found[1]
        key = keys.authenticate(text, now)
        if key is None:
            raise InvalidKey("This API key is unknown, has expired or was revoked.")
        caller = Caller(key=key)
        with self._lock:
            self._callers[digest] = moment + settings.RAISIN_REFRESH_SECONDS, caller
            self._callers.move_to_end(digest)
            while len(self._callers) > REMEMBERED:
                self._callers.popitem(last=False)
        return caller


_known = _Known()

"""`python -m raisin_site.server HOST PORT`: Granian with one worker; the parent must not know the application.

The parent only waits for its worker. Were the application loaded before the fork, as it once was,
the two would share its pages at first and each own a copy of nearly all of them after some hours.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, RuntimeModes
from granian.log import LogLevels

# Each thread costs a database connection (the pool in the settings is of one more) and an arena of memory:
# 16 of them passed 128 MiB.
THREADS = 16


def main(host: str, port: str) -> None:
    Granian(
        "raisin_site.wsgi:application",
        address=host,
        port=int(port),
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=THREADS,
        runtime_mode=RuntimeModes.st,
        runtime_blocking_threads=2,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.error,  # below that it warns on standard output, which belongs to --json
        respawn_failed_workers=True,
        workers_kill_timeout=30,
    ).serve(target_loader=load)


def load(*_: object) -> Callable[..., Any]:
    """Return the application; called in the worker."""
    from raisin_site.wsgi import application

    return application


if __name__ == "__main__":
    main(*sys.argv[1:])

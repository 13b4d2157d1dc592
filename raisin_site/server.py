"""`python -m raisin_site.server HOST PORT`: Granian with one worker; the parent must not know the application.

The parent only waits for its worker. Were the application loaded before the fork, as it once was,
the two would share its pages at first and each own a copy of nearly all of them after some hours.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels

# So many callers can share a commit of the log. Each thread may hold a database connection; the pool in the
# settings has one more, for the writer.
THREADS = 16

# Up to so many processors a machine is taken for the server's own.
SMALL_MACHINE = 4


def main(host: str, port: str) -> None:
    stay_on_one_processor(int(port), os.environ.get("RAISIN_CPU", "auto"))
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
        http1_settings=HTTP1Settings(max_buffer_size=65_536),
        log_level=LogLevels.error,  # below that it warns on standard output, which belongs to --json
        respawn_failed_workers=True,
        workers_kill_timeout=30,
    ).serve(target_loader=load)


def stay_on_one_processor(port: int, wanted: str) -> None:
    """Run all threads on one processor: Python computes on one at a time anyway, and to wake a thread on
    another one costs more than what it then has to do, on virtual machines above all.

    Wanted: `auto` (on a small machine, chosen by the port, so that neighbours differ), `off`, or a number.
    """
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if wanted == "off" or not usable:
        return
    if wanted == "auto" and len(usable) <= SMALL_MACHINE:
        os.sched_setaffinity(0, {usable[port % len(usable)]})
    elif wanted != "auto":
        os.sched_setaffinity(0, {int(wanted)})


def load(*_: object) -> Callable[..., Any]:
    """Return the application; called in the worker."""
    from raisin_site.wsgi import application

    # What is loaded now stays, so no collection of garbage need look at it again.
    gc.collect()
    gc.freeze()
    return application


if __name__ == "__main__":
    main(*sys.argv[1:])

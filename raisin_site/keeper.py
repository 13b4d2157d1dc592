"""Keeps a worker beside a server: starts it anew when it ends unasked, and ends it with the server.

`python raisin_site/keeper.py SERVER_PID COMMAND...` loads no Django, so it weighs little. The command gets
`--beside` and this process' number: were this one killed, the worker would end too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

LOOK_SECONDS = 0.5
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
HEALTHY_SECONDS = 30.0
"""Who lived so long is started anew soon; who dies at once waits twice as long each time."""


class Keeper:
    def __init__(self, server: int, command: Sequence[str]) -> None:
        self.server, self.command = server, command
        self._is_told = False

    def end(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        self._is_told = True

    @property
    def is_over(self) -> bool:
        return self._is_told or os.getppid() != self.server

    def keep(self) -> None:
        pause = SHORTEST_PAUSE
        while not self.is_over:
            began = time.monotonic()
            if self._run() == 0:  # somebody asked it to end
                return
            lived = time.monotonic() - began
            pause = SHORTEST_PAUSE if lived > HEALTHY_SECONDS else min(2 * pause, LONGEST_PAUSE)
            self._wait(pause)

    def _run(self) -> int:
        """Return how the worker ended."""
        command = [*self.command, "--beside", str(os.getpid())]
        worker = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603  our own words
        while worker.poll() is None and not self.is_over:
            time.sleep(LOOK_SECONDS)
        if worker.poll() is None:
            worker.terminate()
        return worker.wait()

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.is_over:
            time.sleep(LOOK_SECONDS)


def main() -> None:
    keeper = Keeper(int(sys.argv[1]), sys.argv[2:])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, keeper.end)
    keeper.keep()


if __name__ == "__main__":
    main()

"""Memory goes back to the system, though not all the time."""

from __future__ import annotations

import gc
import weakref

from endpoints.memory import Reclaimer


class Holder:
    """Holds itself, so that counting references alone never frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_it_works() -> None:
    gone = weakref.ref(Holder())
    assert Reclaimer(1.0).run()
    assert gone() is None


def test_it_rests_in_between() -> None:
    now = [100.0]
    reclaimer = Reclaimer(0.5, clock=lambda: now[0])
    assert reclaimer.run()
    now[0] = 100.4
    assert not reclaimer.run()
    now[0] = 100.5
    assert reclaimer.run()
    assert gc.isenabled()

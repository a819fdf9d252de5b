"""An alarm rings once, at the time to which it was set last, and leaves nothing in the event loop."""

from __future__ import annotations

import asyncio

from flashsale.gateway.alarm import Alarm

SOON_S, LATER_S, NEVER_S = 0.01, 0.05, 60.0


async def test_it_rings_when_the_time_has_come_that_was_set_last() -> None:
    loop = asyncio.get_running_loop()
    alarm, rung = Alarm(loop), asyncio.Queue[str]()
    began_s = loop.time()
    alarm.set(SOON_S, lambda: rung.put_nowait("soon"))
    alarm.set(LATER_S, lambda: rung.put_nowait("later"))
    assert await rung.get() == "later"
    assert loop.time() - began_s >= LATER_S
    alarm.set(NEVER_S, lambda: rung.put_nowait("never"))
    alarm.set(SOON_S, lambda: rung.put_nowait("soon"))
    assert await asyncio.wait_for(rung.get(), NEVER_S / 2) == "soon"
    assert rung.empty()


async def test_it_does_not_ring_when_it_is_off() -> None:
    loop = asyncio.get_running_loop()
    rung = asyncio.Queue[str]()
    off, ended, other = Alarm(loop), Alarm(loop), Alarm(loop)
    for alarm in (off, ended):
        alarm.set(SOON_S, lambda: rung.put_nowait("off"))
    off.off()
    ended.end()
    other.set(LATER_S, lambda: rung.put_nowait("other"))
    assert await rung.get() == "other"
    assert rung.empty()
    off.set(SOON_S, lambda: rung.put_nowait("on"))
    assert await rung.get() == "on", "it may be set again"

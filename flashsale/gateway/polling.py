"""How often a crowd may ask: rarely while nothing can change, often while little is left, and less under load."""

from __future__ import annotations

#: The crowd's usual pace: within 3 to 5 s.
USUAL_MS = 4_000
#: Few units: whoever hesitates should see them go.
FEW_UNITS = 10
FEW_MS = 2_000
#: Before the opening, and when it can only end.
SOON_MS, CALM_MS = 3_000, 10_000
#: So long before the opening the crowd comes closer.
NEAR_MS = 60_000
#: It is over.
OVER_MS = 60_000
#: Far back in a line: this part of the shortest wait, and no longer than this.
FAR_PART, FAR_MS = 10, 30_000
#: So many signs of life fit into the time after which a place is lost: two may fail.
HEARTBEATS = 3
#: A turn of the event loop that comes so late tells of load.
LATE_MS, VERY_LATE_MS = 50, 250


def poll_after_ms(state: str, left: int, until_open_ms: int, late_ms: float) -> int:
    """When to ask again. `left`: units on sale; `late_ms`: how late the event loop's turns come."""
    match state:
        case "open":
            wait_ms = FEW_MS if 0 < left < FEW_UNITS else USUAL_MS
        case "scheduled":
            wait_ms = SOON_MS if until_open_ms <= NEAR_MS else CALM_MS
        case "closed" | "archived":
            wait_ms = OVER_MS
        case _:
            wait_ms = USUAL_MS
    return wait_ms * _strain(late_ms)


def line_poll_after_ms(page_ms: int, wait_min_ms: int | None) -> int:
    """When whoever waits asks again. `page_ms`: when the crowd does; `wait_min_ms`: the shortest wait, if known."""
    return max(page_ms, min(FAR_MS, (wait_min_ms or 0) // FAR_PART))


def heartbeat_after_ms(leave_after_ms: int, *, page_ms: int, is_called: bool) -> int:
    """When whoever waits joins again: whoever is called, as soon as the crowd asks, for a pass may be free then."""
    return min(page_ms, leave_after_ms // HEARTBEATS) if is_called else leave_after_ms // HEARTBEATS


def _strain(late_ms: float) -> int:
    if late_ms < LATE_MS:
        return 1
    return 2 if late_ms < VERY_LATE_MS else 4

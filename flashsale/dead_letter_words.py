"""How dead letters, and what became of them, read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from flashsale import words

if TYPE_CHECKING:
    from flashsale.ids import Position
    from flashsale.projections.dead_letters import Act, Letter
    from flashsale.projections.retry import Retried

#: Followers that are named one by one.
FOLLOWERS_SHOWN = 10


def outcome(line: Retried, *, dry_run: bool) -> str:
    """What became of a line of events."""
    did = "would apply" if dry_run else "applied"
    parts = [f"{did} {some(line.applied)}"] if line.applied else []
    if line.refused:
        again = f"{line.refused.error_class}: {line.refused.error}"
        parts.append(f"{line.refused.position} refused again, {again}")
    if line.discarded:
        parts.append(f"{line.discarded} was discarded, what came later waits behind it")
    return "; ".join(parts)


def state(kind: str) -> str:
    return "discarded" if kind == "discarded" else "waiting"


def followers(letter: Letter) -> str:
    found = [f"{follower.position} {follower.type or 'unreadable'}" for follower in letter.followers]
    more = len(found) - FOLLOWERS_SHOWN
    return ", ".join(found[:FOLLOWERS_SHOWN]) + (f" and {more:,} more" if more > 0 else "") or "none"


def act(done: Act) -> str:
    why = f": {done.reason}" if done.reason else f", parked for {done.error_class}"
    return f"{words.when(done.at_ms)} by {done.actor}{why}"


def forecast(line: Retried | None) -> str:
    if line is None:
        return "finds it no longer parked"
    if line.refused:
        refused = f"refuses {line.refused.position} again, {line.refused.error_class}: {line.refused.error}"
        return f"applies {some(line.applied)}, {refused}" if line.applied else refused
    if line.discarded:
        return f"stops at {line.discarded}, which was discarded"
    return f"applies {some(line.applied)}"


def some(positions: Sequence[Position]) -> str:
    more = len(positions) - 1
    return str(positions[0]) + (f" and {words.count(more, 'followers')}" if more else "")


def whose(line: Retried) -> str:
    if line.order_id:
        return f"order {line.order_id}"
    return f"stock of {line.sku}" if line.sku else "event"

"""How an order's story is printed."""

from __future__ import annotations

from flashsale import words
from flashsale.cli import output
from flashsale.events import type_name
from flashsale.history import Shown
from flashsale.order_story import Story, detail_of


def print_story(story: Story) -> None:
    """For people."""
    buyer, sku, quantity = story.content()
    output.facts(
        [
            ("order", f"{story.order_id} of {story.definition.sale}"),
            ("buyer", buyer),
            (
                "content",
                f"{words.count(quantity, 'units')} of {sku}, {words.price(story.definition, sku, quantity)}",
            ),
            ("in Redis", _told(story.redis.status if story.redis else None)),
            (
                "in Postgres",
                f"{_told(story.postgres.status if story.postgres else None)} (at {story.checkpoint})",
            ),
        ]
    )
    output.line("")
    # The last column is wide: for those who trace.
    columns = ("time", "event", "detail", "by", "position", "in", "trace id")
    width = len(columns) if any(event.trace_id for event in story.events) else len(columns) - 1
    output.table(columns[:width], [_event_row(event)[:width] for event in story.events])


def _told(status: str | None) -> str:
    return status or "not there"


def _event_row(shown: Shown) -> tuple[str, ...]:
    where = "Postgres" if shown.archived else "the log only"
    event = shown.event
    if event is None:
        return ("", "unreadable", shown.problem, "", str(shown.position), where, "")
    return (
        words.clock(event.at_ms),
        type_name(event).removeprefix("order."),
        detail_of(event),
        event.by,
        str(shown.position),
        where,
        shown.trace_id,
    )

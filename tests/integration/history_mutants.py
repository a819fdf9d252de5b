"""Ways in which a history and a log can be made to lie, each from a real one.

A mutant changes a story in place and returns the request that must be named, or None where it is the log that is
damaged. `pick` chooses among the places where it can be done; past the last one it raises `IndexError`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.integration.history_story import Op, Record, Story

Change = Callable[[Story, int], Op | None]


class Mutants(dict[str, tuple[Change, frozenset[str]]]):
    """Name → how it is made, and the rules of which one must name it."""

    def add(self, name: str, *rules: str) -> Callable[[Change], Change]:
        """Put a mutant there; to be used as a decorator, or on what makes a change."""
        assert name not in self

        def put(change: Change) -> Change:
            self[name] = (change, frozenset(rules))
            return change

        return put


def without(story: Story, gone: Sequence[Record]) -> None:
    """The same sale, had these events never happened."""
    ids = {id(event) for event in gone}
    story.rebuild([event for event in story.log if id(event) not in ids])


def with_event(story: Story, after: Record, event: Record) -> None:
    """The same sale with one more event."""
    i = next(i for i, known in enumerate(story.log) if known is after)
    story.rebuild([*story.log[: i + 1], event, *story.log[i + 1 :]])


def followed(story: Story, event: Record) -> list[Record]:
    """An event of an order and all later ones of it."""
    return [later for later in story.events(order=event["order_id"]) if later["seq"] >= event["seq"]]

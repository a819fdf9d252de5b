"""What is said when nobody knows whether it was done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flashsale import refusals
from flashsale.cli import output


@contextmanager
def unknown_told(remedy: str) -> Iterator[None]:
    """Say how to find out what happened when a reply was lost, or nobody waited for it."""
    try:
        with refusals.unknown_told(remedy):
            yield
    except KeyboardInterrupt:
        output.say(f"Interrupted: this may or may not have been done; {remedy}")
        raise

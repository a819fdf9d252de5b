"""A client that follows a sale."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.acceptance.gateway_kit import Front, a_buyer, as_buyer
from tests.fixtures.sse import Event, events

FEED = "/v1/sales/drop/feed"


@contextmanager
def following(front: Front, *, buyer: str | None = None, heard: str = "") -> Iterator[Iterator[Event]]:
    """The events of the sale from now on. `heard`: id of the last one that this client has."""
    headers = as_buyer(buyer or a_buyer()) | ({"Last-Event-ID": heard} if heard else {})
    with front.http.stream("GET", FEED, headers=headers) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        # Kept here: without anybody who holds it, the response would be closed.
        told = events(response)
        yield told

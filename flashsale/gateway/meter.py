"""What a gateway has done since it began, for Prometheus. Scrapes read it from a thread. No label names a buyer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from flashsale.gateway import problems
from flashsale.gateway.operations import OPERATIONS
from flashsale.metrics.histogram import Histogram
from flashsale.metrics.names import Sample

#: From a page out of memory to a reply of Redis that is given up.
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: A call of a script takes 512.
_REQUESTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

#: Where the operation stands, of a request that none fits.
NO_OPERATION = "none"


class Meter:
    """Counts in the event loop; a count is a few hundred nanoseconds."""

    def __init__(self) -> None:
        self._requests: defaultdict[tuple[str, int], int] = defaultdict(int)
        # There from the start: the first fault would be no rise of a count that begins with it.
        self._requests.update({(operation.name, problems.INTERNAL.status): 0 for operation in OPERATIONS})
        self._durations: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(_SECONDS))
        self._orders: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self._batches = Histogram(_REQUESTS)

    def answered(self, operation: str, status: int, duration_s: float) -> None:
        """A request for one of the operations."""
        self._requests[operation, status] += 1
        self._durations[operation].add(duration_s)

    def unrouted(self, status: int) -> None:
        """A request for none of them."""
        self._requests[NO_OPERATION, status] += 1

    def decided(self, sale: str, command: str, answer: str) -> None:
        """The engine's answer about an order, or that there was none."""
        self._orders[sale, command, answer] += 1

    def batch(self, requests: int) -> None:
        """A call of a script left with so many."""
        self._batches.add(requests)

    def samples(self) -> Iterator[Sample]:
        # Copies: the loop counts on meanwhile.
        for (operation, status), count in self._requests.copy().items():
            yield Sample("flashsale_gateway_requests_total", count, (operation, str(status)))
        for operation, durations in self._durations.copy().items():
            yield Sample("flashsale_gateway_request_duration_seconds", durations.read(), (operation,))
        for labels, count in self._orders.copy().items():
            yield Sample("flashsale_gateway_orders_total", count, labels)
        yield Sample("flashsale_gateway_batch_requests", self._batches.read())

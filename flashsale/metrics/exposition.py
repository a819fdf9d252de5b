"""The samples over HTTP, in the formats that Prometheus reads."""

from __future__ import annotations

import platform
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import structlog
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from flashsale import __version__
from flashsale.address import Address
from flashsale.errors import RefusedByState
from flashsale.metrics.names import METRICS, Distribution, Sample

log = structlog.get_logger(__name__)

#: Who asks sends the request, and takes the answer, within this time.
CLIENT_S = 5
#: More connections at once are closed unanswered.
CLIENTS_MAX = 8

_FAMILIES: dict[str, Any] = {
    "gauge": GaugeMetricFamily,
    "counter": CounterMetricFamily,
    "histogram": HistogramMetricFamily,
}


class Exposition:
    """Answers until it is closed. `read` is called for each scrape, by several threads at once.

    Raises `RefusedByState` when nobody may listen there.
    """

    def __init__(self, address: Address, read: Callable[[], Iterable[Sample]]) -> None:
        registry = CollectorRegistry()
        registry.register(_Samples(read))
        try:
            ((family, *_, place),) = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[:1]
            self._server = _Server((str(place[0]), int(place[1])), family)
        except OSError as error:
            raise RefusedByState(
                f"metrics cannot be served on {address}: {error.strerror}; choose another address"
            ) from error
        self._server.set_app(make_wsgi_app(registry))
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        host, port = self._server.server_address[:2]
        url = f"http://{Address(str(host), int(port))}/metrics"
        log.info("serving metrics", action="metrics_served", url=url)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Samples(Collector):
    """Samples as the families of prometheus_client."""

    def __init__(self, read: Callable[[], Iterable[Sample]]) -> None:
        self._read = read

    def describe(self) -> Iterator[Metric]:
        """Nothing, so that registering does not read."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Any] = {}
        for name, value, labels in (*_build(), *self._read()):
            if name not in families:
                metric = METRICS[name]
                families[name] = _FAMILIES[metric.kind](name, metric.meaning, labels=metric.labels)
            if isinstance(value, Distribution):
                families[name].add_metric(labels, value.buckets, value.total)
            else:
                families[name].add_metric(labels, float(value))
        yield from families.values()


def _build() -> list[Sample]:
    return [Sample("flashsale_build_info", 1, (__version__, platform.python_version()))]


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that is overridden
        """Nothing: a scrape is no news."""


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, place: tuple[str, int], family: socket.AddressFamily) -> None:
        self.address_family = family
        self._free = threading.BoundedSemaphore(CLIENTS_MAX)
        super().__init__(place, _Handler)

    def server_bind(self) -> None:
        """Without the question for the host's name that http.server puts to the network."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - what is overridden
        """A client that went away, or was too slow."""
        log.debug("a scrape broke off", action="scrape_broken")

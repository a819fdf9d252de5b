"""What a scrape of a running process says, read by Prometheus's own parser."""

from __future__ import annotations

import re
import urllib.request
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from flashsale.commands import Reserve
from tests.acceptance.conftest import SALE, SKU, Shop
from tests.fixtures.processes import Background, Cli

ANY_PORT = "127.0.0.1:0"
#: Longer than the exporter ever takes, shorter than Prometheus waits.
SCRAPE_TIMEOUT_S = 9
#: A look is shown again for two seconds.
AGAIN_S = 10


class Scrape(NamedTuple):
    """Metric and labels → value."""

    values: dict[tuple[str, frozenset[tuple[str, str]]], float]

    def get(self, metric: str, **labels: str) -> float | None:
        """One value; None when it is not told."""
        return self.values.get((f"flashsale_{metric}", frozenset(labels.items())))

    def of_shard(self, metric: str, sale: str = "drop", **labels: str) -> float | None:
        return self.get(metric, sale=sale, shard="0", **labels)

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.values}


class Exporter(NamedTuple):
    process: Background
    url: str

    def scrape(self) -> Scrape:
        with urllib.request.urlopen(self.url, timeout=SCRAPE_TIMEOUT_S) as reply:  # noqa: S310 - http, on loopback
            text = reply.read().decode()
        return Scrape(
            {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }
        )


def exporter(cli: Cli) -> Exporter:
    """The exporter, on a port of its own."""
    return serving(cli.start("metrics", "run", "--listen", ANY_PORT))


def serving(process: Background) -> Exporter:
    """A process that was told to serve metrics on any port."""
    process.wait_for_output("metrics_served")
    url = re.search(r"http://[^\s\"']+", process.stderr)
    assert url is not None, process.stderr
    return Exporter(process, url[0])


def orders(*numbers: int, quantity: int = 1) -> list[Reserve]:
    return [Reserve(f"0-{number:08}", f"buyer-{number}", SKU, quantity) for number in numbers]


def sell(shop: Shop, sale: str = SALE) -> None:
    """A sale that was warmed as people warm it: Postgres knows, before any projector ran. Its log has three events."""
    shop.define(sale)
    shop.finished("sale", "warm", sale)
    shop.finished("sale", "open", sale)


def stock(seen: Scrape) -> dict[str, float | None]:
    states = ("available", "held", "sold", "returned")
    return {state: seen.of_shard("stock_units", state=state) for state in states}

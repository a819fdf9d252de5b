"""A shop for the acceptance tests: what is not under test is set up quickly, what is under test is a process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from flashsale.client import Client
from flashsale.commands import Code, Load, Open, OrderRequest, SaleRequest
from flashsale.definition import SaleDefinition, SaleItem
from flashsale.gateway.storefront.visitors import COOKIE
from flashsale.gateway.tokens import Caller, Tokens
from flashsale.projections import catalog
from flashsale.projections.database import Connection, connect
from tests.acceptance import operator_kit
from tests.acceptance.gateway_kit import NEW_SECRET, Front, prepare, running
from tests.acceptance.operator_kit import Office
from tests.acceptance.queue_kit import prepare_rooms
from tests.acceptance.storefront_kit import Browser, Visit
from tests.fixtures.processes import Cli, Finished
from tests.fixtures.proxy import Proxy

SALE, SKU = "drop", "phone"
#: Tables whose rows must stay as they are when a command is refused; of checkpoints, what a heartbeat does not change.
STORED = (
    *("TABLE sales", "TABLE sale_items", "TABLE event_log", "TABLE orders", "TABLE stock", "TABLE parked"),
    "TABLE dead_letter_audit",
    "SELECT sale_id, shard, epoch, seq, halted FROM checkpoint",
)


@dataclass
class Shop:
    """A Redis and a database that are empty at first, and the command that is run on them."""

    cli: Cli
    client: Client
    connection: Connection
    redis: redis.Redis

    def define(self, sale: str = SALE, **changes: Any) -> SaleDefinition:
        """A definition in Postgres: 10 units at 799.00 EUR, no limit, nothing by the clock."""
        item = {"sku": SKU, "title": "Phone 15", "quantity": 10, "unit_price_minor": 79_900, "limit": 0}
        of_item = {
            name: changes.pop(name)
            for name in list(changes)
            if name in ("quantity", "limit", "unit_price_minor")
        }
        values = {"title": "Drop", "currency": "EUR", "hold_ms": 600_000, **changes}
        definition = SaleDefinition(sale=sale, items=(SaleItem(**{**item, **of_item}),), **values)
        catalog.define(self.connection, definition)
        return definition

    def warm(self, sale: str = SALE, **changes: Any) -> None:
        """A sale that is defined and in Redis."""
        load: Load = self.define(sale, **changes).load()
        assert self.client.control(sale, load).code is Code.LOADED

    def open(self, sale: str = SALE, **changes: Any) -> None:
        """A sale that sells."""
        self.warm(sale, **changes)
        self.control(Open(at_once=True), sale)

    def control(self, request: SaleRequest, sale: str = SALE) -> None:
        self.client.control(sale, request)

    def execute(self, *requests: OrderRequest, sale: str = SALE) -> list[Code]:
        return [answer.code for answer in self.client.execute(sale, requests)]

    def project(self) -> None:
        """Let a projector apply everything, and leave."""
        projector = self.cli.start("projector", "run", "--name", "test")
        projector.wait_for_output("shard_started")
        projector.stop()

    def log_length(self, sale: str = SALE) -> int:
        return self.client.snapshot(sale).state.position.seq

    def everything(self) -> object:
        """All that is stored, byte for byte."""
        keys = {key: self.redis.dump(key) for key in self.redis.scan_iter()}
        rows = [sorted(map(repr, self.connection.execute(query.encode()))) for query in STORED]
        return keys, rows

    def refused(self, exit_code: int, *args: str) -> Finished:
        """Run a command that must be refused: one sentence, nothing on stdout, nothing changed."""
        before = self.everything()
        done = self.cli.run(*args)
        assert done.exit_code == exit_code, f"{done.args} ended with {done.exit_code}:\n{done.stderr}"
        assert done.stdout == ""
        assert_one_sentence(done)
        assert self.everything() == before
        return done

    def finished(self, *args: str) -> Finished:
        """Run a command that must succeed."""
        return self.cli.ok(*args)


def assert_one_sentence(done: Finished) -> None:
    """An error is told in one line; what follows points to help."""
    first, *rest = done.stderr.splitlines()
    assert first.startswith("error: "), done.stderr
    assert "Traceback" not in done.stderr
    assert "error: unexpected" not in done.stderr
    assert [line for line in rest if not line.startswith(("Its options:", "Next:"))] == []


@pytest.fixture
def shop(connected_cli: Cli, redis_url: str, database_url: str) -> Iterator[Shop]:
    """An empty shop."""
    with (
        Client(redis_url, by="test") as client,
        connect(database_url) as connection,
        redis.Redis.from_url(redis_url) as raw,
    ):
        yield Shop(connected_cli, client, connection, raw)


@pytest.fixture(scope="module")
def front(
    request: pytest.FixtureRequest,
    module_redis_url: str,
    module_database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[Front]:
    """A gateway on the sales of `gateway_kit.SALES`, for all tests of a module, with its `GATEWAY_OPTIONS`."""
    prepare(module_redis_url, module_database_url)
    home = tmp_path_factory.mktemp("gateway") / "home"
    options: tuple[str, ...] = getattr(request.module, "GATEWAY_OPTIONS", ())
    in_roles = pytestconfig.getoption("--roles")
    with running(home, module_redis_url, module_database_url, *options, in_roles=in_roles) as front:
        yield front


@pytest.fixture(scope="module")
def line_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("queue")


@pytest.fixture(scope="module")
def projectors(
    module_redis_url: str, module_database_url: str, line_home: Path, pytestconfig: pytest.Config
) -> Iterator[Cli]:
    """Starts projectors: without one, Postgres is behind after a while, and the line slows."""
    prepare(module_redis_url, module_database_url)
    prepare_rooms(module_redis_url, module_database_url)
    urls = {"FLASHSALE_REDIS_URL": module_redis_url, "FLASHSALE_POSTGRES_URL": module_database_url}
    cli = Cli(line_home, urls, pytestconfig.getoption("--roles"))
    cli.start("projector", "run", "--name", "test")
    yield cli
    for process in cli.started:
        process.clean_up()


@pytest.fixture(scope="module")
def door(
    redis_url: str, module_database_url: str, projectors: Cli, line_home: Path, pytestconfig: pytest.Config
) -> Iterator[Front]:
    """A gateway on the sales of `queue_kit.SALES`."""
    in_roles = pytestconfig.getoption("--roles")
    with running(line_home / "one", redis_url, module_database_url, in_roles=in_roles) as front:
        yield front


#: The shop's pages lead to these.
PAGES = (
    "--storefront", "--sign-in-url", "https://shop.example/in",
    "--checkout-url", "https://shop.example/pay?sale={sale}&order={order}",
)  # fmt: skip


@pytest.fixture(scope="module")
def network(redis_url: str) -> Iterator[Proxy]:
    """What lies between Redis and a server that a test looks at."""
    with Proxy(redis_url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def stage(
    module_redis_url: str,
    network: Proxy,
    module_database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[tuple[Front, Front]]:
    """Two gateways with pages on the same sales: the shop's, and one with --demo-auth."""
    prepare(module_redis_url, module_database_url)
    home = tmp_path_factory.mktemp("gateway")
    in_roles = pytestconfig.getoption("--roles")
    with (
        running(home / "shop", network.url, module_database_url, *PAGES, in_roles=in_roles) as shop,
        running(
            home / "demo",
            module_redis_url,
            module_database_url,
            "--storefront",
            "--demo-auth",
            in_roles=in_roles,
        ) as demo,
    ):
        yield shop, demo


@pytest.fixture
def visit(stage: tuple[Front, Front]) -> Iterator[Visit]:
    """Opens browsers, which are closed after the test."""
    shop, demo = stage
    opened: list[Browser] = []

    def open_one(buyer: str | None) -> Browser:
        token = (
            None if buyer in (None, "demo") else Tokens([NEW_SECRET]).issue(Caller("buyer", str(buyer)), 600)
        )
        url = demo.url if buyer == "demo" else shop.url
        opened.append(Browser(url, {COOKIE: token} if token else {}))
        return opened[-1]

    yield open_one
    for browser in opened:
        browser.http.close()


@pytest.fixture(scope="module")
def office(
    module_redis_url: str,
    module_database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[Office]:
    """An operator page with nothing behind it yet, for all tests of a module: each has sales of its own."""
    home = tmp_path_factory.mktemp("operator") / "home"
    in_roles = pytestconfig.getoption("--roles")
    with operator_kit.running(home, module_redis_url, module_database_url, in_roles=in_roles) as office:
        yield office

"""What people use instead, with Postgres alone: a row lock, and one row a unit. 16 threads, a connection each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import LiteralString

from psycopg import sql

from flashsale.bench.orders import pairs
from flashsale.bench.place import SKU, PgConnection, Place
from flashsale.bench.trial import Clock, Latencies, Prepare, Trial

CONNECTIONS = 16

_TABLES: LiteralString = """
    CREATE TABLE shop_stock (sku text PRIMARY KEY, quantity integer NOT NULL CHECK (quantity >= 0));
    CREATE TABLE shop_unit (unit integer PRIMARY KEY, sku text NOT NULL, order_id text);
    CREATE INDEX shop_unit_free ON shop_unit (sku, unit) WHERE order_id IS NULL;
    CREATE TABLE shop_order (
        order_id text PRIMARY KEY, buyer text NOT NULL, sku text NOT NULL, quantity integer NOT NULL,
        status text NOT NULL DEFAULT 'held', hold_until timestamptz NOT NULL DEFAULT now() + interval '15 minutes'
    );
    CREATE INDEX shop_order_buyer ON shop_order (buyer, sku)
"""
_DROP: LiteralString = "DROP TABLE shop_stock, shop_unit, shop_order"
_TAKE: LiteralString = "UPDATE shop_stock SET quantity = quantity - 1 WHERE sku = %s AND quantity > 0"
_ORDER: LiteralString = "INSERT INTO shop_order (order_id, buyer, sku, quantity) VALUES (%s, %s, %s, 1)"
_BOTH: LiteralString = """
    WITH taken AS (UPDATE shop_stock SET quantity = quantity - 1 WHERE sku = %s AND quantity > 0 RETURNING 1)
    INSERT INTO shop_order (order_id, buyer, sku, quantity) SELECT %s, %s, %s, 1 FROM taken
"""
_TAKE_UNIT: LiteralString = """
    UPDATE shop_unit SET order_id = %s WHERE unit = (
        SELECT unit FROM shop_unit WHERE sku = %s AND order_id IS NULL
        ORDER BY unit LIMIT 1 FOR UPDATE SKIP LOCKED
    )
"""
_HAS: LiteralString = "SELECT count(*) FROM shop_order WHERE buyer = %s AND sku = %s"

#: Tries to buy; True when it bought.
Buy = Callable[[PgConnection, str, str], bool]


def by_row_lock(connection: PgConnection, order_id: str, buyer: str) -> bool:
    """As the textbook has it: one transaction, two statements, the row is locked between them."""
    with connection.transaction():
        bought = connection.execute(_TAKE, (SKU,)).rowcount == 1
        if bought:
            connection.execute(_ORDER, (order_id, buyer, SKU))
    return bought


def by_one_statement(connection: PgConnection, order_id: str, buyer: str) -> bool:
    """The same in one round trip: as short as a row lock can be held."""
    return connection.execute(_BOTH, (SKU, order_id, buyer, SKU)).rowcount == 1


def by_skip_locked(connection: PgConnection, order_id: str, buyer: str) -> bool:
    """One row a unit: buyers lock different rows."""
    with connection.transaction():
        bought = connection.execute(_TAKE_UNIT, (order_id, SKU)).rowcount == 1
        if bought:
            connection.execute(_ORDER, (order_id, buyer, SKU))
    return bought


def within_limit(connection: PgConnection, order_id: str, buyer: str) -> bool:
    """The row lock behind a limit of one a buyer: read before anything is locked."""
    ((units,),) = connection.execute(_HAS, (buyer, SKU)).fetchall()
    return units < 1 and by_row_lock(connection, order_id, buyer)


def accepted(buy: Buy) -> Prepare:
    """Everybody gets a unit."""
    return lambda place, count: _shop(place, buy, units=count, buyers=pairs(count), bought=count, sold=count)


def sold_out(buy: Buy) -> Prepare:
    """Nobody gets a unit: there is none."""
    return lambda place, count: _shop(place, buy, units=0, buyers=pairs(count), bought=0, sold=0)


def over_limit(buy: Buy) -> Prepare:
    """Nobody gets a second unit: each has one."""

    @contextmanager
    def prepare(place: Place, count: int) -> Iterator[Trial]:
        again = [(f"1-{order_id[2:]}", buyer) for order_id, buyer in pairs(count)]
        with _shop(place, buy, units=2 * count, buyers=again, bought=0, sold=count) as trial:
            with place.postgres() as connection:
                connection.execute("UPDATE shop_stock SET quantity = %s", (count,))
                connection.cursor().executemany(_ORDER, [(i, buyer, SKU) for i, buyer in pairs(count)])
                connection.execute("ANALYZE shop_order")
            yield trial

    return prepare


@contextmanager
def _shop(
    place: Place, buy: Buy, *, units: int, buyers: Sequence[tuple[str, str]], bought: int, sold: int
) -> Iterator[Trial]:
    with ExitStack() as stack:
        desk = stack.enter_context(place.postgres())
        desk.execute(_TABLES)
        stack.callback(desk.execute, _DROP)
        desk.execute("INSERT INTO shop_stock VALUES (%s, %s)", (SKU, units))
        desk.execute("INSERT INTO shop_unit SELECT n, %s, NULL FROM generate_series(1, %s) n", (SKU, units))
        desk.execute("VACUUM ANALYZE shop_stock, shop_unit")
        connections = [stack.enter_context(place.postgres()) for _ in range(CONNECTIONS)]
        for connection in connections:
            connection.execute(_HAS, ("nobody", SKU))
        told: list[bool] = []

        def found() -> dict[str, int]:
            left = _count(desk, "SELECT quantity FROM shop_stock")
            free = _count(desk, "SELECT count(*) FROM shop_unit WHERE order_id IS NULL")
            return {
                "told yes": sum(told),
                "told no": len(told) - sum(told),
                "orders": _count(desk, "SELECT count(*) FROM shop_order"),
                "sold": 2 * units - left - free,
            }

        wanted = {"told yes": bought, "told no": len(buyers) - bought, "orders": sold, "sold": sold}
        yield Trial(lambda: _sell(connections, buy, buyers, told), found, wanted)


def _sell(
    connections: Sequence[PgConnection], buy: Buy, buyers: Sequence[tuple[str, str]], told: list[bool]
) -> Latencies:
    clock, queue, failures = Clock(len(buyers)), iter(buyers), list[BaseException]()

    def serve(connection: PgConnection) -> None:
        try:
            # `next` takes a buyer off the shared iterator in one step of C: no two threads get the same.
            while (buyer := next(queue, None)) is not None:
                began = time.perf_counter()
                told.append(buy(connection, *buyer))
                clock.took(time.perf_counter() - began)
        except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
            failures.append(error)

    threads = [threading.Thread(target=serve, args=(connection,)) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in failures:
        raise failure
    return clock.latencies


def _count(connection: PgConnection, statement: LiteralString) -> int:
    ((found,),) = connection.execute(sql.SQL(statement)).fetchall()
    return int(found)

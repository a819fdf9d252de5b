"""Write a whole state beside a shard's keys, in bites; the script `found` then puts it in their place. Sans IO."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from flashsale.commands.call import Call
from flashsale.commands.room_state import room_records
from flashsale.commands.snapshot import REQUEST_FIELD, order_record, restock_record
from flashsale.events import AnyEvent, ShardState, Stock, encode
from flashsale.ids import Position
from flashsale.keys import shard_keys, staged_keys
from flashsale.scripts import script

#: Fields of a hash, or entries of a log, in one bite: Redis serves others in between.
BITE_MAX = 500

#: A Redis command that runs no script.
PlainCommand = tuple[str | int, ...]


def staging(
    sale: str, shard: int, state: ShardState, log: Sequence[tuple[Position, AnyEvent]], origin: str = ""
) -> Iterator[list[PlainCommand]]:
    """The commands that stage a state and the log that leads to it from where the old one ended, bite by bite."""
    keys = staged_keys(sale, shard)
    yield [("UNLINK", *keys)]
    yield from _hash(keys.sale, _sale(state) | ({"origin": origin} if origin else {}))
    yield from _hash(keys.stock, {sku: stock_record(stock) for sku, stock in state.stock.items()})
    yield from _hash(keys.orders, {key: order_record(order) for key, order in state.orders.items()})
    yield from _hash(
        keys.buyers, {f"{buyer} {sku}": str(units) for (buyer, sku), units in state.units.items()}
    )
    held = [(order.hold_until_ms, key) for key, order in state.orders.items() if order.status == "held"]
    for i in range(0, len(held), BITE_MAX):
        yield [("ZADD", keys.holds, *(value for pair in held[i : i + BITE_MAX] for value in pair))]
    entries: list[PlainCommand] = [
        ("XADD", keys.events, str(position), "e", encode(event).decode()) for position, event in log
    ]
    for i in range(0, len(entries), BITE_MAX):
        yield entries[i : i + BITE_MAX]


def found_call(sale: str, shard: int, counted: Position, head: Position) -> Call:
    """Put what is staged in the place of the shard's keys, if these still are as the caller has read them."""
    keys = (*shard_keys(sale, shard), *staged_keys(sale, shard))
    return Call(script("found"), keys, (str(counted), str(head)))


def stock_record(stock: Stock) -> str:
    """As the scripts keep it in the hash `stock`."""
    return f"{stock.available} {stock.held} {stock.sold} {stock.returned} {stock.limit}"


def _sale(state: ShardState) -> dict[str, str]:
    head = {
        "state": state.status,
        "opens_ms": str(state.opens_ms),
        "closes_ms": str(state.closes_ms),
        "hold_ms": str(state.hold_ms),
        "epoch": str(state.position.epoch),
        "seq": str(state.position.seq),
    }
    head |= room_records(state.room)
    return head | {REQUEST_FIELD + key: restock_record(done) for key, done in state.requests.items()}


def _hash(key: str, fields: Mapping[str, str]) -> Iterator[list[PlainCommand]]:
    flat = [value for pair in fields.items() for value in pair]
    for i in range(0, len(flat), 2 * BITE_MAX):
        yield [("HSET", key, *flat[i : i + 2 * BITE_MAX])]

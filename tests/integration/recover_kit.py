"""What the tests of recover share: a busy sale, a recovery as an operator has it, and the proof that all is well."""

from __future__ import annotations

from flashsale.client import Client, Fences
from flashsale.commands import Cancel, Code, Confirm, Refund, Reserve
from flashsale.commands.sale import Restock
from flashsale.events import ShardState
from flashsale.projections import catalog
from flashsale.reconcile import compare
from flashsale.recover import Outcome, recover
from flashsale.stream import ShardId
from tests.fixtures.read_side import SKU, ReadSide

UNITS = 20


def mended(side: ReadSide, shard: ShardId, *, leave_out: bool = False) -> Outcome:
    """Recover by a client that knows what Postgres knows."""
    definition = catalog.get(side.postgres, shard.sale)
    with Client(side.redis_url, by="tests", fences=known(side)) as client:
        return recover(client, side.log, side.postgres, definition, carry_out=True, leave_out=leave_out)


def planned(side: ReadSide, shard: ShardId) -> Outcome:
    definition = catalog.get(side.postgres, shard.sale)
    with Client(side.redis_url, by="tests", fences=known(side)) as client:
        return recover(client, side.log, side.postgres, definition)


def known(side: ReadSide) -> Fences:
    fences = Fences()
    for shard, position in catalog.fences(side.postgres).items():
        fences.saw(shard.sale, shard.shard, position)
    return fences


def busy(side: ReadSide) -> ShardId:
    """A sale with an order in every state, all of it in Postgres."""
    shard = side.open_sale(quantity=UNITS)
    catalog.found(side.postgres, shard, 1, before=0)
    held, paid, given_up, back, kept = (side.sell(shard, 1) for _ in range(5))
    side.run(shard, [Confirm(order) for order in (*paid, *back, *kept)])
    side.run(shard, [Cancel(order) for order in given_up])
    side.run(shard, [Refund(back[0]), Refund(kept[0], units="keep")])
    side.client.control(shard.sale, Restock("more", "add", SKU, 3))
    side.drain(side.projector())
    assert held
    return shard


def agrees(side: ReadSide, shard: ShardId) -> ShardState:
    """Log, Redis and Postgres are one, and the tables are the fold of the log."""
    for projector in side.projectors:
        projector.close()
    side.projectors.clear()
    side.drain(side.projector("after"), patient=True)
    found = compare(side.client, side.log, side.postgres, shard, timeout_s=10)
    assert found.drifts == []
    return found.state


def sell_out(side: ReadSide, shard: ShardId) -> ShardState:
    """Sell what is left, one by one, and no unit more."""
    left = side.client.snapshot(shard.sale).state.stock[SKU].available
    requests = [Reserve(side.new_order(), "late", SKU) for _ in range(left + 3)]
    with Client(side.redis_url, fences=known(side)) as client:
        codes = [answer.code for answer in client.execute(shard.sale, requests)]
    assert codes == [Code.RESERVED] * left + [Code.SOLD_OUT] * 3
    state = agrees(side, shard)
    assert state.stock[SKU].available == 0
    return state

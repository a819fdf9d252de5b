"""What everybody asks of a sale, as rules: each answer of the real scripts must be the model's."""

from __future__ import annotations

import pytest
import redis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from flashsale.events import ShardState
from tests.lua.kit import HOUR_MS, Shard
from tests.lua.scenes import GOOD
from tests.property.model import Malformed
from tests.property.operator_model import OperatedModel

#: the words of a request, as a script takes them
Request = tuple[str, ...]

#: times as tests name them: made into milliseconds when they are used
times = st.sampled_from(["0", "0", "0", "past", "soon", "later"])
#: most changes leave the window alone, or nothing would be sold
changed_times = st.sampled_from(["-", "-", "-", "-", "-", "0", "0", "past", "soon", "later"])
holds = st.sampled_from(["1", "1", "20", str(HOUR_MS)])
skus = st.sampled_from(["A", "A", "A", "B", "B", "X"])
quantities = st.sampled_from(["1", "1", "1", "2", "4"])
limits = st.sampled_from(["0", "0", "2", "3"])
buyers = st.sampled_from(["ann", "bob", "cid", "dan", "eve"])
owners = st.sampled_from(["-", "-", "-", "-", "ann", "bob"])
fences = st.sampled_from(["0-0", *["head"] * 8, "ahead"])

reservations = st.tuples(st.integers(0, 60).map(lambda i: f"0-order-{i}"), buyers, skus, quantities)
#: the number picks an order that there is: see `Sale.named`
resolutions = st.tuples(st.integers(0, 100), owners)
refunds = st.tuples(st.integers(0, 100), owners, st.sampled_from(["restock", "keep"]))
items = st.lists(
    st.tuples(st.sampled_from(["A", "B"]), st.integers(1, 12).map(str), limits), min_size=1, max_size=2
)


class Selling(RuleBasedStateMachine):
    """A sale that everybody asks for everything.

    No rule has a precondition: whether an order was accepted depends on the server's clock, and what Hypothesis draws
    must not.
    """

    redis_url = ""

    def __init__(self) -> None:
        super().__init__()
        self.shard = self.new_shard()
        self.shard.redis.delete(*self.shard.keys, *self.shard.room_keys)
        self.model = OperatedModel()

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.shard.redis.delete(*self.shard.keys, *self.shard.room_keys)
        self.shard.redis.close()

    def new_shard(self) -> Shard:
        """The sale under test."""
        return Shard(self.redis_url)

    # ------------------------------------------------------------------------------------------------------ running

    def run(self, name: str, arguments: Request, fence: str, count: int = 1) -> list[str]:
        """Run a script and return its answers; none when the fence or a missing sale refused it, as it must."""
        head = self.model.head
        ahead = f"{self.model.epoch}-{self.model.seq + 1}"
        reply = self.shard.run(name, *arguments, fence={"head": head, "ahead": ahead}.get(fence, fence))
        assert reply.position == self.shard.head()
        self.model.now_ms = reply.now_ms
        refused = ""
        if fence == "ahead":
            refused = "LOG_REGRESSED"
            # It has halted the sale for all; here it goes on, as if it had been recovered at once.
            assert bool(self.shard.redis.hdel(self.shard.keys.sale, "lost")) is bool(self.model.state)
        elif not self.model.state and name != "load":
            refused = "NOT_LOADED"
        if refused:
            assert reply.answers == [f"{refused} {head}"] * count
            return []
        return reply.answers

    def operate(self, name: str, arguments: Request, fence: str) -> None:
        """Run an operator's script, and compare its answer with the model's."""
        decide = getattr(self.model, name)
        try:
            answers = self.run(name, arguments, fence)
        except redis.ResponseError:
            with pytest.raises(Malformed):
                decide(*arguments)
        else:
            assert answers == ([decide(*arguments)] if answers else [])

    def at(self, time: str) -> str:
        """A time's milliseconds."""
        return {"past": "1000", "soon": str(self.shard.now_ms() + 10), "later": str(9 * 10**12)}.get(
            time, time
        )

    # -------------------------------------------------------------------------------------------- what operators ask

    @initialize(
        limit=limits,
        hold=holds,
        first=st.lists(reservations, min_size=1, max_size=6),
        begin=st.sampled_from([*["selling"] * 7, "nothing"]),
    )
    def begin(self, limit: str, hold: str, first: list[Request], begin: str) -> None:
        """Most histories begin with a sale that sells."""
        if begin == "selling":
            self.operate("load", ("0", "0", hold, "A", "12", limit, "B", "6", "0"), "0-0")
            self.operate("open", ("0",), "head")
            self.ask("reserve", first, "head")

    @rule(opens=times, closes=times, hold=holds, items=items, fence=fences)
    def load(self, opens: str, closes: str, hold: str, items: list[Request], fence: str) -> None:
        flat = [value for item in items for value in item]
        self.operate("load", (self.at(opens), self.at(closes), hold, *flat), fence)

    @rule(name=st.sampled_from(["pause", *["resume"] * 7, "close"]), fence=fences)
    def change_state(self, name: str, fence: str) -> None:
        self.operate(name, (), fence)

    @rule(at_once=st.sampled_from(["0", "1"]), fence=fences)
    def open(self, at_once: str, fence: str) -> None:
        self.operate("open", (at_once,), fence)

    @rule(
        opens=changed_times,
        closes=changed_times,
        hold=holds | st.just("-"),
        changes=st.dictionaries(skus, limits, max_size=1),
        fence=fences,
    )
    def reconfigure(self, opens: str, closes: str, hold: str, changes: dict[str, str], fence: str) -> None:
        flat = [value for change in changes.items() for value in change]
        self.operate("reconfigure", (self.at(opens), self.at(closes), hold, *flat), fence)

    @rule(
        mode=st.sampled_from(["open", "queue-all", *["pass-through"] * 3]),
        lucky=st.sets(buyers, min_size=2),
        fence=fences,
    )
    def room(self, mode: str, lucky: set[str], fence: str) -> None:
        """The sale gets a waiting room, or other settings; some have a pass."""
        self.operate("room", (mode, *map(str, GOOD["room"][1:])), fence)
        self.shard.redis.delete(self.shard.room_keys.passes)
        self.shard.redis.zadd(self.shard.room_keys.passes, dict.fromkeys(lucky, 9 * 10**12))

    @rule(
        request=st.tuples(
            st.integers(0, 9).map(lambda i: f"r-{i}"),
            st.sampled_from(["add", "add", "remove"]),
            skus,
            quantities,
        ),
        fence=fences,
    )
    def restock(self, request: Request, fence: str) -> None:
        self.operate("restock", request, fence)

    # ------------------------------------------------------------------------------------------------ what buyers ask

    def ask(self, name: str, requests: list[Request], fence: str) -> None:
        """Run a batch, and compare its answers with what the model says to one request after the other."""
        self.model.passes = self.holders()
        answers = self.run(
            name, tuple(word for request in requests for word in request), fence, len(requests)
        )
        decide = getattr(self.model, name)
        assert answers == [decide(*request) for request in requests if answers]
        assert self.model.passes == self.holders()

    def holders(self) -> set[str]:
        """Who has a pass."""
        found: list[bytes] = self.shard.redis.zrange(self.shard.room_keys.passes, 0, -1)  # type: ignore[assignment]  # a list
        return {buyer.decode() for buyer in found}

    @rule(requests=st.lists(reservations, min_size=1, max_size=6), fence=fences)
    def reserve(self, requests: list[Request], fence: str) -> None:
        self.ask("reserve", requests, fence)

    def named(self, number: int) -> str:
        """The id of an order that there is; 0: of one that there is not."""
        ids = list(self.model.orders)
        return ids[number % len(ids)] if number and ids else "0-nobody"

    @rule(number=st.integers(0, 100), request=reservations)
    def reserve_again(self, number: int, request: Request) -> None:
        """A repeat of a request that won, where there is one, and a conflict with it in the same batch."""
        order = self.named(number)
        known = self.model.orders.get(order)
        repeat = (order, known.buyer, known.sku, str(known.quantity)) if known else request
        self.ask("reserve", [repeat, (order, *request[1:]), repeat], "head")

    @rule(requests=st.lists(resolutions, min_size=1, max_size=4), fence=fences)
    def confirm(self, requests: list[tuple[int, str]], fence: str) -> None:
        self.ask("confirm", [(self.named(number), *words) for number, *words in requests], fence)

    @rule(requests=st.lists(resolutions, min_size=1, max_size=4), fence=fences)
    def cancel(self, requests: list[tuple[int, str]], fence: str) -> None:
        self.ask("cancel", [(self.named(number), *words) for number, *words in requests], fence)

    @rule(requests=st.lists(refunds, min_size=1, max_size=4), fence=fences)
    def refund(self, requests: list[tuple[int, str, str]], fence: str) -> None:
        self.ask("refund", [(self.named(number), *words) for number, *words in requests], fence)

    @rule(most=st.sampled_from([1, 2, 1000]), fence=fences)
    def expire(self, most: int, fence: str) -> None:
        answers = self.run("expire", (str(most),), fence)
        if answers:
            assert answers == self.model.expire(most)

    @rule(most=st.integers(1, 5))
    def pay_late(self, most: int) -> None:
        """The buyers of the newest expired orders pay."""
        self.expire(1000, "head")
        late = [name for name, order in self.model.orders.items() if order.status == "expired"]
        if late:
            self.ask("confirm", [(name, "-") for name in late[-most:]], "head")

    @rule(number=st.integers(0, 100), way=st.sampled_from(["restock", "keep"]), most=st.integers(1, 3))
    def pay_what_was_given_up(self, number: int, way: str, most: int) -> None:
        """A buyer gives an order up and pays all the same, and gets the money back."""
        order = (self.named(number), "-")
        self.ask("cancel", [order], "head")
        self.ask("confirm", [order] * most, "head")
        self.ask("refund", [(*order, way)], "head")

    # ------------------------------------------------------------------------------------------------- what must hold

    def agree(self, state: ShardState) -> None:
        """Fail unless a fold of the log is what the model says."""
        assert str(state.position) == self.model.head
        assert {name: order.status for name, order in state.orders.items()} == {
            name: order.status for name, order in self.model.orders.items()
        }
        for sku, stock in state.stock.items():
            told = (stock.available, stock.held, stock.sold, stock.returned)
            assert told == self.model.counters(sku)
            assert min(told) >= 0
            assert sum(told) == stock.capacity == self.model.capacity[sku]
        for (buyer, sku), units in state.units.items():
            assert units == self.model.mine(buyer, sku)

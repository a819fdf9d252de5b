"""Lies about what was done: K1, K2 and K3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.integration.history_kit import CASE, order
from tests.integration.history_mutants import Change, Mutants, followed, with_event, without
from tests.integration.history_story import Op, Story

MUTANTS = Mutants()
mutant = MUTANTS.add

# -------------------------------------------------------------------------------- K1: what was acknowledged is there


@mutant("an acknowledged reservation is lost", "K1")
def _(story: Story, pick: int) -> Op:
    op = story.done("reserve")[pick]
    without(story, followed(story, story.event(op)))
    return op


@mutant("an acknowledged payment is lost", "K1")
def _(story: Story, pick: int) -> Op:
    kept = [op for op in story.done("confirm", "CONFIRMED") if not followed(story, story.event(op))[1:]]
    op = kept[pick]
    without(story, [story.event(op)])
    return op


@mutant("an acknowledged restock is lost", "K1")
def _(story: Story, pick: int) -> Op:
    op = [op for op in story.done("restock") if op.asked["how"] == "remove"][pick]
    without(story, [story.event(op)])
    return op


@mutant("two acknowledgements changed places", "K1")
def _(story: Story, pick: int) -> Op:
    second, first = story.done("reserve")[pick + 1], story.done("reserve")[pick]
    for name in ("position", "detail"):
        first.answer[name], second.answer[name] = second.answer[name], first.answer[name]
    return first


def asked_otherwise(field: str, by: Callable[[Any], Any], command: str) -> Change:
    def change(story: Story, pick: int) -> Op:
        op = [op for op in story.done(command) if field in op.asked and op.answer["detail"] != "none"][pick]
        op.asked[field] = by(op.asked[field])
        return op

    return change


def told_otherwise(field: str, by: Callable[[Any], Any], command: str, code: str = "") -> Change:
    def change(story: Story, pick: int) -> Op:
        op = story.done(command, code)[pick]
        op.answer[field] = by(op.answer[field])
        return op

    return change


mutant("the log has another quantity", "K1")(asked_otherwise("quantity", lambda units: units + 1, "reserve"))
mutant("the log has another SKU", "K1")(asked_otherwise("sku", lambda sku: f"{sku}-2", "reserve"))
mutant("the log has another buyer", "K1")(asked_otherwise("buyer", lambda buyer: f"{buyer}x", "reserve"))
mutant("another buyer cancelled", "K1")(asked_otherwise("buyer", lambda buyer: f"{buyer}x", "cancel"))
mutant("the log has another order", "K1")(asked_otherwise("order_id", lambda _: order(8_000), "reserve"))
mutant("the refund went the other way", "K1")(
    asked_otherwise("how", {"keep": "restock", "restock": "keep"}.__getitem__, "refund")
)
mutant("the restock is of another size", "K1")(
    asked_otherwise("quantity", lambda units: units + 1, "restock")
)
mutant("the hold ends at another time", "K1")(
    told_otherwise("detail", lambda at: str(int(at) + 1), "reserve")
)
mutant("the payment was not late", "K1")(
    told_otherwise("detail", {"0": "1", "1": "0"}.__getitem__, "confirm", "CONFIRMED")
)
mutant("a refund was due, it was said", "K1")(
    told_otherwise("code", lambda _: "REFUND_DUE", "confirm", "CONFIRMED")
)
mutant("it is further on in the log", "K1")(told_otherwise("position", lambda _: "1-100000", "reserve"))
mutant("it is in another epoch", "K1")(told_otherwise("position", lambda at: f"2{at[1:]}", "reserve"))
mutant("a restock left another number", "K1")(told_otherwise("detail", lambda left: f"{left}1", "restock"))
mutant("the sale was opened for another time", "K1")(told_otherwise("detail", lambda _: "17", "open"))
mutant("the sale was paused elsewhere", "K1")(told_otherwise("position", lambda _: "1-1", "pause"))


@mutant("another's order was confirmed", "K1")
def _(story: Story, pick: int) -> Op:
    second, first = story.done("confirm", "CONFIRMED")[pick + 1], story.done("confirm", "CONFIRMED")[pick]
    first.asked["order_id"] = second.asked["order_id"]
    return first


# ----------------------------------------------------------------------------------------- K2: what was refused is not


@mutant("a request that was not sent was done", "K2")
def _(story: Story, pick: int) -> Op:
    op = story.lone("reserve")[pick]
    op.answer.update(outcome="refused", code="UNREACHABLE", position="", detail="")
    return op


@mutant("a payment that was not sent was done", "K2")
def _(story: Story, pick: int) -> Op:
    op = story.lone("confirm")[pick]
    op.answer.update(outcome="refused", code="UNREACHABLE", position="", detail="")
    return op


@mutant("a refused reservation was made", "K2")
def _(story: Story, pick: int) -> Op:
    words = ("NOT_OPEN", "PAUSED")
    op = [op for word in words for op in story.ops("reserve", "refused", word)][pick]
    op.asked.update(sku=CASE, quantity=1)
    # After the last cases were put on sale: there it was allowed.
    *_, restock = story.events("stock.added")
    made = story.events("order.reserved")[0] | {"at_ms": restock["at_ms"]}
    with_event(
        story, restock, made | {name: op.asked[name] for name in ("order_id", "buyer", "sku", "quantity")}
    )
    return op


# ------------------------------------------------------------------------------------------ K3: once, or not at all


@mutant("an unknown request was done before it was made", "K3")
def _(story: Story, pick: int) -> Op:
    op = [op for op in story.never_told() if op.history == "killed"][pick]
    lines = story.histories["killed"]
    lines.remove(op.asked)
    op.asked["at_ns"] = story.histories["desk"][-1]["at_ns"] + 1
    lines.append(op.asked)
    return op


@mutant("an unknown request was done twice", "U1")
def _(story: Story, pick: int) -> None:
    unknown = {op.asked["order_id"] for op in [*story.never_told(), *story.ops(outcome="unknown")]}
    made = [event for event in story.events("order.reserved") if event["order_id"] in unknown][pick]
    with_event(story, made, dict(made))


@mutant("an unknown payment was done twice", "U2")
def _(story: Story, pick: int) -> None:
    unknown = {op.asked["order_id"] for op in [*story.never_told(), *story.ops(outcome="unknown")]}
    made = [event for event in story.events("order.confirmed") if event["order_id"] in unknown][pick]
    with_event(story, made, dict(made))

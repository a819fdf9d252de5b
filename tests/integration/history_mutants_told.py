"""Lies about what was answered, and when: K4, K5 and K6."""

from __future__ import annotations

from tests.integration.history_kit import PHONE
from tests.integration.history_mutants import Change, Mutants
from tests.integration.history_story import Op, Story

MUTANTS = Mutants()
mutant = MUTANTS.add

# ---------------------------------------------------------------------------------------------- K4: real-time order


@mutant("who came later stands before", "K4")
def _(story: Story, pick: int) -> Op:
    first, second = in_order(story)[pick]
    moved = story.event(second) | {"at_ms": story.event(first)["at_ms"]}
    story.log[second.seq - 1] = moved
    log = [event for event in story.log if event is not moved]
    log.insert(first.seq - 1, moved)
    story.rebuild(log)
    return second


def in_order(story: Story) -> list[tuple[Op, Op]]:
    """Reservations of which one was answered before the other was asked for, while there was enough for both."""
    ops = [op for op in story.done("reserve") if op.asked["sku"] == PHONE]
    pairs = []
    for i, first in enumerate(ops):
        second = next((op for op in ops[i:] if op.asked["at_ns"] > first.answer["at_ns"]), None)
        if second is not None:
            between = [event for event in story.log[first.seq - 1 : second.seq] if event.get("sku") == PHONE]
            if min(event["available"] for event in between) >= second.asked["quantity"]:
                pairs.append((first, second))
    return pairs


@mutant("sold out, by an old answer", "K4")
def _(story: Story, pick: int) -> Op:
    *_, old, late = story.ops("reserve", "refused", "SOLD_OUT")
    late.answer.update(position=old.answer["position"], detail=old.answer["detail"])
    if pick:
        raise IndexError
    return late


@mutant("a repeat reads what was before", "K4")
def _(story: Story, pick: int) -> Op:
    confirmed = {op.asked["order_id"]: op.answer["at_ns"] for op in story.done("confirm", "CONFIRMED")}
    reserved = [op for op in story.done("reserve") if op.asked["order_id"] in confirmed]
    op = story.append(reserved[pick])
    op.answer["status"] = "held"
    return op


@mutant("a wrong state, by an old answer", "K4")
def _(story: Story, pick: int) -> Op:
    # Of an order that was confirmed: a refund that is refused because the order is held.
    op = story.append([op for op in story.done("confirm", "CONFIRMED") if op.answer["detail"] == "0"][pick])
    op.asked.update(command="refund", how="keep")
    op.answer.update(outcome="refused", code="WRONG_STATE", detail="held", position=f"1-{op.seq - 1}")
    return op


# -------------------------------------------------------------------------------------------- K5: a refusal is true


def refused_instead(code: str, detail: str) -> Change:
    """A reservation that was made is told to be refused at the place just before, where it could be made."""

    def change(story: Story, pick: int) -> Op:
        op = [op for op in story.done("reserve") if op.asked["sku"] == PHONE][pick]
        op.answer.update(outcome="refused", code=code, detail=detail, position=f"1-{op.seq - 1}")
        return op

    return change


mutant("sold out, and it was not", "K5")(refused_instead("SOLD_OUT", "0"))
mutant("over the limit, with nothing", "K5")(refused_instead("LIMIT", "2"))
mutant("not open, and it was", "K5")(refused_instead("NOT_OPEN", "0"))
mutant("paused, and it was not", "K5")(refused_instead("PAUSED", ""))
mutant("closed, and it was not", "K5")(refused_instead("CLOSED", ""))
mutant("no such SKU, and there was", "K5")(refused_instead("UNKNOWN_SKU", ""))
mutant("a conflict with nothing", "K5")(refused_instead("CONFLICT", ""))
mutant("a word that is no answer", "K5")(refused_instead("WRONG_STATE", "held"))


@mutant("sold out, it says, with enough left", "K5")
def _(story: Story, pick: int) -> Op:
    op = [op for op in story.done("reserve") if op.asked["sku"] == PHONE][pick]
    before = [event for event in story.log[: op.seq - 1] if event.get("sku") == PHONE][-1]
    left = str(before["available"])
    op.answer.update(outcome="refused", code="SOLD_OUT", detail=left, position=f"1-{op.seq - 1}")
    return op


@mutant("a wrong state that allowed it", "K5")
def _(story: Story, pick: int) -> Op:
    op = [op for op in story.lone("confirm") if op.answer["detail"] == "0"][pick]
    status = {"CONFIRMED": "held", "REFUND_DUE": "cancelled"}[op.answer["code"]]
    op.answer.update(outcome="refused", code="WRONG_STATE", detail=status, position=f"1-{op.seq - 1}")
    return op


mutant("over the limit, and far below it", "K5")(refused_instead("LIMIT", "0"))


def refused_otherwise(command: str, word: str, **told: str) -> Change:
    """A refusal that was true says something else."""

    def change(story: Story, pick: int) -> Op:
        op = story.ops(command, "refused", word)[pick]
        op.answer.update(told)
        return op

    return change


mutant("sold out, with another number left", "K5")(refused_otherwise("reserve", "SOLD_OUT", detail="7"))
mutant("sold out, when it was not yet", "K5")(
    refused_otherwise("reserve", "SOLD_OUT", position="1-5", detail="0")
)
mutant("sold out, at no place of the log", "K5")(
    refused_otherwise("reserve", "SOLD_OUT", position="1-100000")
)
mutant("over the limit, with other units", "K5")(refused_otherwise("reserve", "LIMIT", detail="9"))
mutant("over the limit, before there was anything", "K5")(
    refused_otherwise("reserve", "LIMIT", position="1-4")
)
mutant("paused, before it was", "K5")(refused_otherwise("reserve", "PAUSED", position="1-5"))
mutant("a wrong state that it was not in", "K5", "K6")(
    refused_otherwise("confirm", "WRONG_STATE", detail="held")
)
mutant("a wrong state that is a right one", "K5", "K6")(
    refused_otherwise("refund", "WRONG_STATE", detail="confirmed")
)
mutant("a restock that there was enough for", "K5")(refused_otherwise("restock", "NOT_ENOUGH", detail="999"))
mutant("a restock that there was room for", "K5")(
    refused_otherwise("restock", "NOT_ENOUGH", code="OVER_CAPACITY")
)


mutant("not open until another time", "K5")(refused_otherwise("reserve", "NOT_OPEN", detail="17"))
mutant("a conflict with what never was", "K5")(refused_otherwise("reserve", "SOLD_OUT", code="CONFLICT"))
mutant("a conflict, told as a pause", "K5")(refused_otherwise("reserve", "CONFLICT", code="PAUSED"))
mutant("a conflict with the same refund", "K5", "K6")(
    refused_otherwise("refund", "CONFLICT", detail="restock")
)
mutant("a wrong state of what is not there", "K5")(
    refused_otherwise("confirm", "NOT_FOUND", code="WRONG_STATE", detail="held")
)


@mutant("over the limit, which is another buyer's", "K5")
def _(story: Story, pick: int) -> Op:
    op = story.ops("reserve", "refused", "LIMIT")[pick]
    op.asked["buyer"] = "somebody"
    return op


@mutant("not found, and it was there", "K5", "K6")
def _(story: Story, pick: int) -> Op:
    op = story.lone("confirm")[pick]
    op.answer.update(outcome="refused", code="NOT_FOUND", detail="", position=f"1-{op.seq - 1}")
    return op


# ------------------------------------------------------------------------------------------------ K6: repeats agree


@mutant("acknowledged twice as new", "K6")
def _(story: Story, pick: int) -> Op:
    return story.append(story.done("reserve")[pick])


@mutant("acknowledged twice at two places", "K6")
def _(story: Story, pick: int) -> Op:
    op = story.done("reserve", repeated=True)[pick]
    op.put(op.seq + 1)
    return op


@mutant("a repeat gets another answer", "K6")
def _(story: Story, pick: int) -> Op:
    op = story.done("reserve", repeated=True)[pick]
    op.answer["detail"] = str(int(op.answer["detail"]) + 1)
    return op


@mutant("a repeat is refused", "K6")
def _(story: Story, pick: int) -> Op:
    op = story.done("reserve", repeated=True)[pick]
    op.answer.update(
        outcome="refused", code="SOLD_OUT", detail="0", status="", position=f"1-{len(story.log)}"
    )
    return op


@mutant("a repeat conflicts with itself", "K6")
def _(story: Story, pick: int) -> Op:
    op = story.done("reserve", repeated=True)[pick]
    op.answer.update(outcome="refused", code="CONFLICT", detail="", status="", position=f"1-{len(story.log)}")
    return op


@mutant("a repeated restock is refused", "K6")
def _(story: Story, pick: int) -> Op:
    op = story.done("restock", repeated=True)[pick]
    closed = f"1-{len(story.log)}"
    op.answer.update(outcome="refused", code="WRONG_STATE", detail="closed", status="", position=closed)
    return op


@mutant("a repeat of a status that never was", "K6")
def _(story: Story, pick: int) -> Op:
    op = story.done("confirm", repeated=True)[pick]
    op.answer["status"] = "expired"
    return op


@mutant("a repeat of what nobody had asked for", "K6")
def _(story: Story, pick: int) -> Op:
    op = story.lone("confirm")[pick]
    op.answer["status"] = "confirmed"
    return op


@mutant("a repeated payment is not found", "K6")
def _(story: Story, pick: int) -> Op:
    op = story.done("confirm", repeated=True)[pick]
    op.answer.update(outcome="refused", code="NOT_FOUND", detail="", status="", position=f"1-{op.seq}")
    return op

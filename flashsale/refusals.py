"""What a refusal means to the person who asked: a sentence, a remedy, and by its class the exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from flashsale import words
from flashsale.commands import Answer, Code
from flashsale.errors import FlashsaleError, Halted, NotFound, NotReplicated, RefusedByState, UnknownOutcome
from flashsale.ids import START

if TYPE_CHECKING:
    from flashsale.projections.database import Connection

#: What the detail of an answer is called in JSON.
_DETAILS = {
    Code.RESERVED: "hold_until_ms",
    Code.CONFIRMED: "late",
    Code.REFUNDED: "units",
    Code.OPENED: "opens_ms",
    Code.RESTOCKED: "available",
    Code.SOLD_OUT: "available",
    Code.LIMIT: "units",
    Code.NOT_OPEN: "opens_ms",
    Code.WRONG_STATE: "state",
    Code.ALREADY_LOADED: "state",
    Code.NOT_ENOUGH: "available",
    Code.OVER_CAPACITY: "available",
    Code.CONFLICT: "units",
    Code.HOLDS_OPEN: "holds",
}

#: What can be done with an order of this status.
_ORDER_REMEDY = {
    "held": "it is not paid yet: `order confirm` or `order cancel`",
    "confirmed": "it is paid: `order refund`",
    "cancelled": "it was not paid; if it is now, `order confirm` records that and `order refund` settles it",
    "expired": "it was not paid in time; `order confirm` still works while units are left",
    "refund_due": "it was paid too late: `order refund`",
    "refunded": "that is final: `order reserve` anew",
}
#: The same for a payment of an order whose money went back: nothing is recorded of it.
_PAID_AGAIN = "if this is another payment than the one that went back, pay it back where it was made"
#: What a sale must be before this can be done with it; and what it is afterwards.
_SALE_NEEDS = {
    "opened": ("a warm sale", "open"),
    "paused": ("an open sale", "paused"),
    "resumed": ("a paused sale", "open"),
    "closed": ("a sale that is not closed", "closed"),
    "restocked": ("a sale that is not closed", ""),
    "reconfigured": ("a sale that is not closed for good", ""),
    "archived": ("a closed sale", "archived"),
    "given a waiting room": ("a sale that is not closed", ""),
}

#: How the window is moved that made a sale what it is.
_WINDOW_REMEDY = {
    "closed": "; if its closing time closed it, `flashsale sale reconfigure {sale} --closes TIME` moves that",
    "scheduled": "; `flashsale sale reconfigure {sale} --opens TIME` moves its opening time",
}


class Asked(NamedTuple):
    """What was asked for, as the sentences need it."""

    sale: str
    #: as a participle: reserved, opened
    done: str
    order_id: str = ""
    sku: str = ""
    request_id: str = ""


def record(answer: Answer, asked: Asked) -> dict[str, Any]:
    """An answer for programs."""
    ids = {"order": asked.order_id, "sku": asked.sku, "request_id": asked.request_id}
    found: dict[str, Any] = {"sale": asked.sale} | {name: value for name, value in ids.items() if value}
    found |= {"code": str(answer.code), "position": str(answer.position), "repeated": answer.repeated}
    if answer.detail and answer.code in _DETAILS:
        found[_DETAILS[answer.code]] = int(answer.detail) if answer.detail.isdecimal() else answer.detail
    if answer.repeated and asked.order_id:
        found["status"] = answer.status
    return found


def error_of(answer: Answer, asked: Asked, connection: Connection) -> FlashsaleError:
    """The exception that a refusal becomes where people ask."""
    sale = asked.sale
    if answer.code in (Code.NOT_LOADED, Code.LOG_REGRESSED) and _is_archived(sale, connection):
        answer = msgspec.structs.replace(answer, code=Code.ARCHIVED)  # Redis lost the tombstone, too
    if answer.code is Code.NOT_LOADED:
        return _not_warm(sale, connection)
    if answer.code is Code.LOG_REGRESSED:
        return _lost(sale)
    if answer.code is Code.NOT_FOUND:
        return NotFound(f"sale {sale} has no order {asked.order_id}")
    if answer.code is Code.UNKNOWN_SKU:
        what = asked.sku or "one of these SKUs"
        return NotFound(f"sale {sale} does not sell {what}; `flashsale sale show {sale}` lists what it sells")
    return RefusedByState(_SENTENCES[answer.code](answer, asked))


def _is_archived(sale: str, connection: Connection) -> bool:
    from flashsale.projections import reads

    return any(row.archived for row in reads.checkpoints(connection, sale))


def _lost(sale: str) -> FlashsaleError:
    return Halted(
        f"Redis has lost the log of sale {sale}, or its newest events: nothing of it is sold or changed until "
        f"somebody decides; `flashsale recover {sale}` says what is lost, and changes nothing by itself"
    )


def _not_warm(sale: str, connection: Connection) -> FlashsaleError:
    """Nothing of the sale is in Redis: not yet, or not any more."""
    from flashsale.projections import catalog

    fences = [fence for shard, fence in catalog.fences(connection).items() if shard.sale == sale]
    if not fences:
        return NotFound(f"sale {sale} is not defined; `flashsale sale list` shows those that are")
    if max(fences) > START:
        return _lost(sale)
    return RefusedByState(f"sale {sale} is defined but not warm: `flashsale sale warm {sale}`")


def _sold_out(answer: Answer, asked: Asked) -> str:
    available = int(answer.detail)
    if available == 0:
        return f"{asked.sku} is sold out"
    return f"only {words.count(available, 'units')} of {asked.sku} left: fewer than asked for"


def _not_open(answer: Answer, asked: Asked) -> str:
    if answer.detail == "0":
        return f"sale {asked.sale} is warm, but not open yet: `flashsale sale open {asked.sale}`"
    return f"sale {asked.sale} opens at {words.when(int(answer.detail))}"


def _limit(answer: Answer, asked: Asked) -> str:
    if answer.detail == "0":
        return f"that is more of {asked.sku} than one buyer may have"
    has = words.count(int(answer.detail), "units")
    return f"this buyer has {has} of {asked.sku} already; with these it would be more than one buyer may have"


def _conflict(answer: Answer, asked: Asked) -> str:
    if asked.request_id:
        return (
            f"request {asked.request_id} was used before, for another change: give this one an id of its own"
        )
    if answer.detail:
        where = {"restock": "back on sale", "keep": "out of the sale"}.get(answer.detail, answer.detail)
        return f"order {asked.order_id} was refunded before, and its units went {where}"
    return (
        f"order {asked.order_id} exists, with another buyer, SKU or quantity: give this one an id of its own"
    )


def _wrong_state(answer: Answer, asked: Asked) -> str:
    state = answer.detail
    if asked.order_id:
        paid_again = (state, asked.done) == ("refunded", "confirmed")
        remedy = _PAID_AGAIN if paid_again else _ORDER_REMEDY.get(state, "")
        return f"order {asked.order_id} is {state} and cannot be {asked.done}; {remedy}"
    needs, after = _SALE_NEEDS[asked.done]
    if state == after:
        return f"sale {asked.sale} is {state} already"
    # A closed sale that cannot even be reconfigured was closed by a person: nothing helps.
    remedy = "" if asked.done == "reconfigured" else _WINDOW_REMEDY.get(state, "").format(sale=asked.sale)
    return f"sale {asked.sale} is {state}; only {needs} can be {asked.done}{remedy}"


def _not_enough(answer: Answer, asked: Asked) -> str:
    available = words.count(int(answer.detail), "units")
    return f"only {available} of {asked.sku} can be taken off: the others are held or sold"


_SENTENCES: dict[Code, Callable[[Answer, Asked], str]] = {
    Code.SOLD_OUT: _sold_out,
    Code.NOT_OPEN: _not_open,
    Code.LIMIT: _limit,
    Code.CONFLICT: _conflict,
    Code.WRONG_STATE: _wrong_state,
    Code.NOT_ENOUGH: _not_enough,
    Code.PAUSED: lambda _, asked: f"sale {asked.sale} is paused: `flashsale sale resume {asked.sale}`",
    Code.NO_PASS: lambda _, asked: (
        f"sale {asked.sale} has a waiting room, and this buyer no pass: `flashsale room show {asked.sale}`"
    ),
    Code.CLOSED: lambda _, asked: f"sale {asked.sale} is closed",
    Code.ALREADY_LOADED: lambda answer, asked: (
        f"sale {asked.sale} was warmed before; it is {answer.detail} now"
    ),
    Code.ARCHIVED: lambda _, asked: (
        f"sale {asked.sale} is archived: it is over, Postgres has its books, and nothing of it can be changed any more"
    ),
    Code.HOLDS_OPEN: lambda answer, asked: (
        f"{words.count(int(answer.detail), 'orders')} of sale {asked.sale} {'is' if answer.detail == '1' else 'are'} "
        "still held: let them be paid, cancelled or expire (`flashsale sweeper run`)"
    ),
    Code.NOT_PROVEN: lambda _, asked: f"something happened to sale {asked.sale} meanwhile: repeat it",
    Code.NOT_ACKNOWLEDGED: lambda answer, asked: (
        f"group {answer.detail} has not acknowledged {words.count(int(answer.status), 'events')} of sale {asked.sale}"
    ),
    Code.OVER_CAPACITY: lambda _, asked: f"{asked.sku} would have more than 1,000,000,000 units",
}


@contextmanager
def unknown_told(remedy: str) -> Iterator[None]:
    """Say how to find out what happened when a reply was lost."""
    try:
        yield
    except NotReplicated as error:
        raise NotReplicated(
            f"it is done, and too few replicas have it, so a failover could lose it; {remedy}"
        ) from error
    except UnknownOutcome as error:
        raise UnknownOutcome(
            f"the reply was lost, so this may or may not have been done; {remedy}"
        ) from error

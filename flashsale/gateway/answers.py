"""What an answer of the engine is over HTTP: a refusal becomes a problem."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from starlette.responses import Response

from flashsale.commands import Answer, Code
from flashsale.gateway import problems
from flashsale.gateway.problems import Kind, Problem
from flashsale.ids import START

#: Refusals without more to tell than their sentence.
_PLAIN: dict[Code, tuple[Kind, str]] = {
    Code.UNKNOWN_SKU: (problems.UNKNOWN_SKU, "this sale does not sell that"),
    Code.NOT_FOUND: (problems.UNKNOWN_ORDER, "the sale has no such order of this buyer"),
    Code.CONFLICT: (
        problems.IDEMPOTENCY_KEY_REUSED,
        "this key came with another SKU or quantity before: a new purchase needs a new key",
    ),
    Code.NO_PASS: (
        problems.PASS_REQUIRED,
        "no pass of this buyer is good: it was used, has ended, or there was none",
    ),
    Code.ROOM_FULL: (problems.OVERLOADED, "the line takes nobody any more"),
    Code.PAUSED: (problems.PAUSED, "no orders are taken at the moment; what is held stays held"),
    Code.CLOSED: (problems.CLOSED, "no orders are taken any more"),
    Code.ARCHIVED: (problems.CLOSED, "the sale is over, and its orders are final"),
    Code.NOT_LOADED: (problems.NOT_OPEN, "the sale is being prepared"),
    Code.LOG_REGRESSED: (
        problems.HALTED,
        "the log of this sale lost its tail: nothing is sold before it is mended",
    ),
    Code.REFUND_DUE: (
        problems.REFUND_DUE,
        "paid after the order was cancelled, or after its hold expired and nothing was left: pay the money back",
    ),
}


def refused(answer: Answer) -> Response:
    """The response to a refusal. Most buyers get the same one: it is made once."""
    if answer.code is Code.SOLD_OUT:
        return _sold_out(answer.detail)
    return refusal(answer).response()


@lru_cache(maxsize=64)
def _sold_out(left: str) -> Response:
    return refusal(Answer(Code.SOLD_OUT, START, left)).response()


def refusal(answer: Answer) -> Problem:
    """The problem that a refusal is."""
    detail = answer.detail
    match answer.code:
        case Code.SOLD_OUT:
            left = int(detail)
            sentence = f"{left} left" if left else "nothing is left; a unit that is given back is sold again"
            return Problem(problems.SOLD_OUT, sentence, available=left)
        case Code.LIMIT:
            return Problem(problems.LIMIT_REACHED, f"this buyer has {detail} already", units=int(detail))
        case Code.NOT_OPEN:
            opens = int(detail)
            return Problem(
                problems.NOT_OPEN, "the sale opens later" if opens else "somebody opens it", opens_ms=opens
            )
        case Code.WRONG_STATE:
            return Problem(problems.WRONG_STATE, f"the order is {detail}", state=detail)
        case code if code in _PLAIN:
            # A payment that must go back is recorded, and the only one of these that can have been before.
            more: dict[str, Any] = {"repeated": answer.repeated} if code is Code.REFUND_DUE else {}
            return Problem(*_PLAIN[code], **more)
        case code:
            return Problem(problems.INTERNAL, f"the engine answered {code}")

"""What a buyer is told of a click that did not lead to an order, by the kind of the problem."""

from __future__ import annotations

_NOTHING = "Nothing was ordered."

NOTICES = {
    "sold-out": "Somebody was faster: at this moment none is left.",
    "limit-reached": "You have as many as one person may have.",
    "not-open": f"The sale is not open yet. {_NOTHING}",
    "paused": f"The sale was paused at that moment. {_NOTHING}",
    "closed": f"The sale is over. {_NOTHING}",
    "pass-required": "Your turn had ended. You are in line again.",
    "unavailable": f"We could not ask just now. {_NOTHING} Please try again.",
    "overloaded": f"Too many people at once. {_NOTHING} Please try again in a moment.",
    "too-many-requests": "That was quick. Please wait a moment between clicks.",
    "halted": f"The sale has stopped for a check. {_NOTHING}",
    "wrong-state": "That was no longer possible: see below what has become of your order.",
    "refund-due": "Your payment came too late. It is recorded, and goes back to you.",
    "unknown-outcome": "The answer got lost. Reload this page: it shows what is true.",
    "unknown-sku": f"This sale does not sell that. {_NOTHING}",
}


def notice(slug: str) -> str:
    """The sentence; empty for a kind that has none, or that somebody made up."""
    return NOTICES.get(slug, "")

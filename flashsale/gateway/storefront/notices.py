"""What a buyer is told of what goes wrong, by the kind of the problem."""

from __future__ import annotations

from flashsale.gateway import problems

_NOTHING = "Nothing was ordered."

#: On the page that follows a click: by the kind's slug.
NOTICES = {
    "sold-out": "Somebody was faster: at this moment none is left.",
    "limit-reached": "You have as many as one person may have.",
    "not-open": f"The sale is not open yet. {_NOTHING}",
    "paused": f"The sale was paused at that moment. {_NOTHING}",
    "closed": f"The sale is over. {_NOTHING}",
    "pass-required": "Your turn had ended. You are in line again.",
    "unavailable": "We could not ask just now. Nothing was done. Please try again.",
    "overloaded": "Too many people at once. Nothing was done. Please try again in a moment.",
    "too-many-requests": "That was quick. Please wait a moment between clicks.",
    "halted": f"The sale has stopped for a check. {_NOTHING}",
    "wrong-state": "That was no longer possible: see below what has become of your order.",
    "refund-due": "Your payment came too late. It is recorded, and goes back to you.",
    "unknown-outcome": "The answer got lost. Reload this page: it shows what is true.",
    "unknown-sku": f"This sale does not sell that. {_NOTHING}",
}

#: On a page of its own: title and sentence.
PROBLEMS = {
    problems.UNKNOWN_SALE: ("No such sale", "This address belongs to no sale of this shop."),
    problems.UNKNOWN_ORDER: ("No such order", "You have no order with this number in this sale."),
    problems.NOT_FOUND: ("Nothing is here", "This address leads nowhere."),
    problems.UNAUTHENTICATED: (
        "Please sign in",
        "The shop does not know who you are. Sign in, then come back.",
    ),
    problems.FORBIDDEN: ("Not from here", "This can only be done on a page of this shop."),
    problems.BAD_REQUEST: ("That was not understood", "Go back to the sale and try it from there."),
    problems.CLOSED: ("This sale is over", "Its orders are final. The shop can tell you about yours."),
    problems.HALTED: (
        "We stopped to be sure",
        "The sale has stopped for a check. What you were told stands.",
    ),
    problems.UNAVAILABLE: ("One moment", "We cannot look just now. This page tries again by itself."),
    problems.OVERLOADED: ("One moment", "Very many people are here. This page tries again by itself."),
    problems.UNKNOWN_OUTCOME: ("One moment", "The answer got lost. The page of the sale shows what is true."),
    problems.INTERNAL: ("Something went wrong", "It is our fault. Please try again in a moment."),
}


def notice(slug: str) -> str:
    """The sentence; empty for a kind that has none, or that somebody made up."""
    return NOTICES.get(slug, "")

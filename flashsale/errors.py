"""Every exception flashsale raises on purpose, and the exit code the command line gives it.

    FlashsaleError                  1  something unexpected happened inside flashsale
    ├── BadInput                    2  a value from outside is malformed: field, value, remedy
    ├── NotFound                    3  the named sale, SKU or order does not exist
    ├── RefusedByState              4  valid, but not now: already open, not warm, sold below, ...
    ├── Unreachable                 5  Redis or Postgres cannot be reached or refuses to work; nothing was done
    │   ├── OtherShop               5  Redis and Postgres have two sales of one id: they are not of one shop
    │   ├── Overloaded              5  too many requests are waiting already; nothing was sent
    │   └── UnknownOutcome          5  the reply was lost: retry with the same id
    │       └── NotReplicated       5  done, but too few replicas have it yet: retry with the same id
    ├── DriftFound                  6  two stores disagree about the same moment
    └── Halted                      7  the log forked, regressed or is corrupt: stopped on purpose

A refusal that a buyer may meet (sold out, over the limit) is a value, never an exception:
see `flashsale.commands.answer`.
"""

from __future__ import annotations


class FlashsaleError(Exception):
    """Something unexpected happened inside flashsale."""

    exit_code = 1

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__class__.__doc__)


class BadInput(FlashsaleError):
    """A value that came from outside is malformed; nothing was changed."""

    exit_code = 2

    def __init__(self, field: str, value: object, remedy: str) -> None:
        try:
            shown = repr(value)
        except ValueError:  # Python refuses to print an integer of more than 4,300 digits
            shown = "a number of very many digits"
        if len(shown) > SHOWN_VALUE_LENGTH_MAX:
            shown = f"{shown[:SHOWN_VALUE_LENGTH_MAX]}… ({len(shown)} characters)"
        super().__init__(f"{field}: {shown} is not accepted; {remedy}")
        #: the name of the field, as the user wrote it
        self.field = field
        #: the value as it came
        self.value = value
        #: what to write instead
        self.remedy = remedy


class NotFound(FlashsaleError):
    """The named sale, SKU or order does not exist."""

    exit_code = 3


class RefusedByState(FlashsaleError):
    """The request is well formed, but the present state does not allow it."""

    exit_code = 4


class Unreachable(FlashsaleError):
    """A server cannot be reached, or refuses to work; nothing was done."""

    exit_code = 5


class OtherShop(Unreachable):
    """Redis and Postgres are not of one shop: each has a sale of this id, and they are two. Nothing was done."""

    def __init__(self, shard: str, in_redis: str, in_postgres: str) -> None:
        super().__init__(
            f"{shard} is two sales: Redis has the one that was defined at {in_redis}, Postgres the one of "
            f"{in_postgres}. One of FLASHSALE_REDIS_URL and FLASHSALE_POSTGRES_URL leads to another shop"
        )


class Overloaded(Unreachable):
    """Too many requests are waiting already; nothing was sent. Try again later with the same id."""


class UnknownOutcome(Unreachable):
    """The reply was lost: the request may or may not have been carried out. Retry with the same id."""


class NotReplicated(UnknownOutcome):
    """Redis decided it, and too few replicas have it yet: a failover could lose it. Retry with the same id."""


class DriftFound(FlashsaleError):
    """Two stores disagree about the same moment of a sale."""

    exit_code = 6


class Halted(FlashsaleError):
    """The log forked, went back or is corrupt; work on it has stopped rather than guess."""

    exit_code = 7


#: Longer values are cut in messages: a path is to be read whole, a pasted file must not fill the terminal.
SHOWN_VALUE_LENGTH_MAX = 150

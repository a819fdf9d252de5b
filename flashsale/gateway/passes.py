"""Signed passes: what somebody who was let in shows with the order.

Redis decides whether a pass is good, once, in the step that holds the units. The signature keeps those away who never
were let in: no script runs for them. A pass has the form of a token: `CONTENT.SIGNATURE`; its content is
`[sale, buyer, expires_ms]`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.requests import Request

from flashsale.gateway import problems
from flashsale.gateway.problems import Problem
from flashsale.gateway.seal import Seal, Untrue

#: A pass is no token, nor a token a pass.
SALT = "flashsale.gateway.pass"
HEADER = "Flashsale-Pass"


class Pass(msgspec.Struct, frozen=True, array_like=True):
    """Whom it lets in, where, and until when."""

    sale: str
    buyer: str
    expires_ms: int


class Passes:
    """Makes and checks passes, by the secrets that sign tokens; without any, Redis alone checks.

    Raises `BadInput` as `Tokens` does.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._seal = Seal(secrets, SALT) if secrets else None
        self._decode = msgspec.json.Decoder(Pass).decode

    def issue(self, sale: str, buyer: str, expires_ms: int) -> str | None:
        """The text of a pass; None: there is nothing to sign by."""
        if self._seal is None:
            return None
        return self._seal.sign(msgspec.json.encode(Pass(sale, buyer, expires_ms)))

    def check(self, request: Request, sale: str, buyer: str) -> None:
        """Raises `Problem` unless the request shows a pass that this buyer was given for this sale.

        One that has ended is let through: the order may be a repeat, which is answered as it was decided. Only Redis
        knows, and refuses if it is none.
        """
        if self._seal is None:
            return
        shown = request.headers.get(HEADER)
        if shown is None:
            raise Problem(problems.PASS_REQUIRED, f"send {HEADER}: the pass of whoever was let in")
        if not self._is_of(shown, sale, buyer):
            raise Problem(problems.PASS_REQUIRED, "this pass was not made for this buyer and sale")

    def _is_of(self, text: str, sale: str, buyer: str) -> bool:
        assert self._seal is not None
        try:
            content = self._decode(self._seal.content(text))
        except (Untrue, msgspec.MsgspecError, UnicodeError):
            return False
        return (content.sale, content.buyer) == (sale, buyer)

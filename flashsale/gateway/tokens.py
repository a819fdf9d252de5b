"""Signed tokens: who a request comes from, said by the shop, which knows its buyers.

A token is `CONTENT.SIGNATURE`. The content is base64url of the JSON array `[role, name, expires_s]`, with `expires_s`
in Unix time; the signature is base64url of HMAC-SHA256 of the content as it stands there. Its key is HMAC-SHA256 of
`SALT` by the secret. A shop may make tokens by itself, in any language; docs/gateway.md has an example.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

import msgspec

from flashsale import ids
from flashsale.errors import BadInput
from flashsale.gateway.seal import NOT_SIGNED, Seal, Untrue

__all__ = ["SALT", "Caller", "Role", "Tokens", "Untrue"]

SALT = "flashsale.gateway.token"

Role = Literal["buyer", "service"]


class Caller(msgspec.Struct, frozen=True, array_like=True):
    """Who asks: a buyer for themselves, or a service of the shop for anybody."""

    role: Role
    name: str


class _Claims(Caller, frozen=True, array_like=True):
    expires_s: int


class Tokens:
    """Makes and reads tokens. The first secret signs; what any has signed is read. Raises as `Seal` does."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._seal = Seal(secrets, SALT)
        self._decode = msgspec.json.Decoder(_Claims).decode

    def issue(self, caller: Caller, lifetime_s: int) -> str:
        """A token that is good for so long from now."""
        claims = _Claims(caller.role, ids.buyer(caller.name, caller.role), int(time.time()) + lifetime_s)
        return self._seal.sign(msgspec.json.encode(claims))

    def read(self, token: str) -> Caller:
        """Who it names. Raises `Untrue`."""
        try:
            claims = self._decode(self._seal.content(token))
            ids.buyer(claims.name)
        except (msgspec.MsgspecError, UnicodeError, BadInput) as error:
            raise Untrue(NOT_SIGNED) from error
        if claims.expires_s <= time.time():
            raise Untrue("the token has expired")
        return Caller(claims.role, claims.name)

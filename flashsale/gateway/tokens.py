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
from itsdangerous import BadData
from itsdangerous.encoding import base64_decode, base64_encode

from flashsale import ids
from flashsale.errors import BadInput
from flashsale.gateway.signer import QuickSigner

SALT = "flashsale.gateway.token"
#: HMAC-SHA256 gains nothing from more, and a password has less.
SECRET_LENGTH_MIN = 32
#: More are not being rotated, they are kept.
SECRETS_MAX = 8
#: The longest name is 128; longer texts are no tokens, and not worth a signature.
TOKEN_LENGTH_MAX = 512

Role = Literal["buyer", "service"]


class Caller(msgspec.Struct, frozen=True, array_like=True):
    """Who asks: a buyer for themselves, or a service of the shop for anybody."""

    role: Role
    name: str


class _Claims(Caller, frozen=True, array_like=True):
    expires_s: int


class Untrue(Exception):
    """It is no token of ours, or not any more; the text says why."""


def signer(secrets: Sequence[str], salt: str) -> QuickSigner:
    """Signs by the first secret, and knows what any of them has signed, for one purpose: that of `salt`.

    Raises `BadInput` for secrets that are too short, too many or none.
    """
    if not 1 <= len(secrets) <= SECRETS_MAX:
        raise BadInput("gateway_keys", f"{len(secrets)} secrets", f"use 1 to {SECRETS_MAX}")
    if short := [len(secret) for secret in secrets if len(secret) < SECRET_LENGTH_MIN]:
        raise BadInput(
            "gateway_keys",
            f"a secret of {short[0]} characters",
            f"use {SECRET_LENGTH_MIN} or more; `flashsale gateway secret` makes one",
        )
    return QuickSigner(list(reversed(secrets)), salt)


class Tokens:
    """Makes and reads tokens. The first secret signs; what any has signed is read. Raises as `signer` does."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._signer = signer(secrets, SALT)
        self._decode = msgspec.json.Decoder(_Claims).decode

    def issue(self, caller: Caller, lifetime_s: int) -> str:
        """A token that is good for so long from now."""
        claims = _Claims(caller.role, ids.buyer(caller.name, caller.role), int(time.time()) + lifetime_s)
        return self._signer.sign(base64_encode(msgspec.json.encode(claims))).decode()

    def read(self, token: str) -> Caller:
        """Who it names. Raises `Untrue`."""
        if len(token) > TOKEN_LENGTH_MAX:
            raise Untrue("the token is too long to be one")
        try:
            claims = self._decode(base64_decode(self._signer.unsign(token)))
            ids.buyer(claims.name)
        except (BadData, msgspec.MsgspecError, UnicodeError, BadInput) as error:
            raise Untrue("the token was not signed here") from error
        if claims.expires_s <= time.time():
            raise Untrue("the token has expired")
        return Caller(claims.role, claims.name)

"""Sign a text, and tell whether a text was signed here: for tokens and passes, each kind with a salt of its own."""

from __future__ import annotations

from collections.abc import Sequence

from itsdangerous import BadData
from itsdangerous.encoding import base64_decode, base64_encode

from flashsale.errors import BadInput
from flashsale.gateway.signer import QuickSigner

#: HMAC-SHA256 gains nothing from more, and a password has less.
SECRET_LENGTH_MIN = 32
#: More are not being rotated, they are kept.
SECRETS_MAX = 8
#: The longest name is 128; longer texts are no tokens, and not worth a signature.
TOKEN_LENGTH_MAX = 512
NOT_SIGNED = "the token was not signed here"


class Untrue(Exception):
    """It is no token of ours, or not any more; the text says why."""


class Seal:
    """The first secret signs; what was signed by any of them is read.

    Raises `BadInput` for secrets that are too short, too many or none.
    """

    def __init__(self, secrets: Sequence[str], salt: str) -> None:
        if not secrets:
            raise BadInput(
                "gateway_keys",
                "no secret",
                "name the file of the gateway's secrets in FLASHSALE_GATEWAY_KEYS_FILE, on a server "
                "/etc/credstore/flashsale.gateway_keys; if no gateway has one yet, `flashsale gateway secret` makes it",
            )
        if len(secrets) > SECRETS_MAX:
            raise BadInput("gateway_keys", f"{len(secrets)} secrets", f"use 1 to {SECRETS_MAX}")
        if short := [len(secret) for secret in secrets if len(secret) < SECRET_LENGTH_MIN]:
            raise BadInput(
                "gateway_keys",
                f"a secret of {short[0]} characters",
                f"use {SECRET_LENGTH_MIN} or more; `flashsale gateway secret` makes one",
            )
        self._signer = QuickSigner(list(reversed(secrets)), salt)

    def sign(self, content: bytes) -> str:
        """`CONTENT.SIGNATURE`, both in base64url."""
        return self._signer.sign(base64_encode(content)).decode()

    def content(self, token: str) -> bytes:
        """What was signed. Raises `Untrue`."""
        if len(token) > TOKEN_LENGTH_MAX:
            raise Untrue("the token is too long to be one")
        try:
            return base64_decode(self._signer.unsign(token))
        except (BadData, UnicodeError) as error:
            raise Untrue(NOT_SIGNED) from error

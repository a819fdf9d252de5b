"""itsdangerous's signer with each key derived once, and a signature read as it is written: the same, in less time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from itsdangerous import BadSignature, Signer
from itsdangerous.encoding import base64_encode, want_bytes


class QuickSigner(Signer):
    """Signs by the last secret, and knows what any of them has signed; for one purpose, that of `salt`."""

    def __init__(self, secrets: Sequence[str], salt: str) -> None:
        super().__init__(list(secrets), salt=salt, key_derivation="hmac", digest_method=hashlib.sha256)
        # Copied for each text: to begin a digest by its name costs more than the digest of a token.
        self._newest_first = [
            hmac.new(self.derive_key(secret), digestmod="sha256") for secret in reversed(self.secret_keys)
        ]

    def get_signature(self, value: str | bytes) -> bytes:
        return _signature(self._newest_first[0], want_bytes(value))

    def unsign(self, signed_value: str | bytes) -> bytes:
        """What was signed. Raises `BadSignature`. A signature has one way to be written: that of `sign`."""
        value, _, signature = want_bytes(signed_value).rpartition(self.sep)
        for begun in self._newest_first:
            if hmac.compare_digest(_signature(begun, value), signature):
                return value
        raise BadSignature("nobody here signed it so")


def _signature(begun: hmac.HMAC, value: bytes) -> bytes:
    digest = begun.copy()
    digest.update(value)
    return base64_encode(digest.digest())

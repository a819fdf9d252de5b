"""itsdangerous's signer with each key derived once, and a signature read as it is written: the same, in less time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from itsdangerous import BadSignature, Signer
from itsdangerous.encoding import base64_encode, want_bytes
from itsdangerous.signer import SigningAlgorithm


class _HmacSha256(SigningAlgorithm):
    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return hmac.digest(key, value, "sha256")


class QuickSigner(Signer):
    """Signs by the last secret, and knows what any of them has signed; for one purpose, that of `salt`."""

    def __init__(self, secrets: Sequence[str], salt: str) -> None:
        super().__init__(
            list(secrets),
            salt=salt,
            key_derivation="hmac",
            digest_method=hashlib.sha256,
            algorithm=_HmacSha256(),
        )
        derive = super().derive_key
        self._derived = {secret: derive(secret) for secret in self.secret_keys}
        # Copied for each text: to begin a digest by its name costs more than the digest of a token.
        self._newest_first = [
            hmac.new(self._derived[secret], digestmod="sha256") for secret in reversed(self.secret_keys)
        ]

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        return self._derived[self.secret_keys[-1] if secret_key is None else want_bytes(secret_key)]

    def unsign(self, signed_value: str | bytes) -> bytes:
        """What was signed. Raises `BadSignature`. A signature has one way to be written: that of `sign`."""
        value, _, signature = want_bytes(signed_value).rpartition(self.sep)
        for begun in self._newest_first:
            digest = begun.copy()
            digest.update(value)
            if hmac.compare_digest(base64_encode(digest.digest()), signature):
                return value
        raise BadSignature("nobody here signed it so")

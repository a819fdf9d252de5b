"""Who may come in: people by their tokens, signed by the gateway's secrets with a salt of their own.

A token is `CONTENT.SIGNATURE` as the gateway's are (docs/gateway.md); its role is `viewer`, who sees everything, or
`operator`, who may also act. A token for buyers or services opens nothing here, nor does one of these open the gateway.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

import msgspec

from flashsale import ids
from flashsale.errors import BadInput
from flashsale.gateway.seal import NOT_SIGNED, Seal, Untrue

SALT = "flashsale.operator.token"
#: What stands in front of the name in the log; the longest name there has 64 characters.
_PREFIX = "operator:"
NAME_LENGTH_MAX = 64 - len(_PREFIX)

Role = Literal["viewer", "operator"]


class Person(msgspec.Struct, frozen=True, array_like=True):
    """Somebody in front of the page. Raises `BadInput` for a name that the log cannot hold."""

    role: Role
    name: str

    def __post_init__(self) -> None:
        ids.actor(self.name, "name")
        if len(self.name) > NAME_LENGTH_MAX:
            raise BadInput("name", self.name, f"use at most {NAME_LENGTH_MAX} characters")

    @property
    def actor(self) -> str:
        """As the log names whoever acts here."""
        return _PREFIX + self.name

    @property
    def may_act(self) -> bool:
        return self.role == "operator"


class Admission(msgspec.Struct, frozen=True, array_like=True):
    """What a token says."""

    role: Role
    name: str
    #: Unix time
    expires_s: int


class PersonTokens:
    """Makes and reads the tokens of people. Raises `BadInput` as `Seal` does."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._seal = Seal(secrets, SALT)
        self._decode = msgspec.json.Decoder(Admission).decode

    def issue(self, person: Person, lifetime_s: int) -> str:
        """A token that is good for so long from now."""
        admission = Admission(person.role, person.name, int(time.time()) + lifetime_s)
        return self._seal.sign(msgspec.json.encode(admission))

    def read(self, token: str) -> tuple[Person, int]:
        """Whom it names, and until when, Unix time. Raises `Untrue`."""
        try:
            admission = self._decode(self._seal.content(token))
            person = Person(admission.role, admission.name)
        except (msgspec.MsgspecError, UnicodeError, BadInput) as error:
            raise Untrue(NOT_SIGNED) from error
        if admission.expires_s <= time.time():
            raise Untrue("the token has expired")
        return person, admission.expires_s

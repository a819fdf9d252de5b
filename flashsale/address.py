"""Where a process listens: HOST:PORT, as a person writes it."""

from __future__ import annotations

import re
from typing import NamedTuple, Self

from flashsale.errors import BadInput

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(0|[1-9][0-9]{0,4})")


class Address(NamedTuple):
    host: str
    port: int

    @classmethod
    def parse(cls, text: str, field: str) -> Self:
        """`127.0.0.1:9464` or `[::1]:9464`; port 0 is any that is free."""
        match = _ADDRESS.fullmatch(text)
        if match is None or int(match[2]) > 65_535:
            raise BadInput(field, text, "write HOST:PORT, like 127.0.0.1:9464 or [::1]:9464")
        return cls(match[1].strip("[]"), int(match[2]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

"""One record of the hot state that is put back to what the log says."""

from __future__ import annotations

from typing import Literal

import msgspec

#: Records in one call of `mend`: one at a time would let the sale move on between them, and Redis must not block.
MEND_MAX = 500


class Mend(msgspec.Struct, frozen=True):
    """One record: what was seen there, and what the log says. None: no record."""

    kind: Literal["order", "units", "owned", "hold", "setting", "limit", "stock", "counters"]
    #: order id, `buyer SKU`, field of the sale, or SKU
    key: str
    seen: str | None
    #: of `counters` and `owned`: the change of each number, `+1 +0 -1 +0`
    wanted: str | None
    #: of `hold`: the order's record
    guard: str | None = None

    def arguments(self) -> tuple[str, ...]:
        """Its part of ARGV."""
        return (self.kind, self.key, _value(self.guard), _value(self.seen), _value(self.wanted))


def _value(text: str | None) -> str:
    return "-" if text is None else f"={text}"

"""What a load test found."""

from __future__ import annotations

import msgspec

from flashsale.loadtest.check import Checked


class Kind(msgspec.Struct, frozen=True):
    """One kind of request. Latencies count from the moment a request was due."""

    name: str
    requests: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    #: word of the answer → how often; `unknown`: no answer that says what was done
    answers: dict[str, int]


class Second(msgspec.Struct, frozen=True):
    """One second of the run: requests that were due in it, and answers that came in it."""

    second: int
    due: int
    answered: int


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; `--json` prints exactly this."""

    scenario: str
    #: asked for: buyers a second on average, for so many seconds
    rate: float
    load_seconds: float
    #: from the first arrival to the last answer
    seconds: float
    buyers: int
    kinds: list[Kind]
    timeline: list[Second]
    #: buyers for whom there was no room in this process, and those who did not come to their end
    turned_away: int
    unfinished: int
    #: of a core that this process used, and how late it was to send what was due: it must not be what is slow
    busy: float
    late_p99_ms: float
    checked: Checked
    #: what did not hold, as sentences; empty when every promise held
    broken: list[str]

    @property
    def is_offered(self) -> bool:
        """Whether the load was what was asked for."""
        return not (self.turned_away or self.unfinished)

"""Keep in Postgres when a shard was compared, by whom, and with what outcome: for people who look later."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from flashsale.errors import FlashsaleError, Unreachable
from flashsale.projections import comparisons
from flashsale.projections.database import Connection
from flashsale.reconcile.finding import Report
from flashsale.stream import ShardId

#: Differences of a shard that are kept as sentences; all are counted.
TOLD_MAX = 50
#: Characters of one sentence: what damaged records say may be of any length.
SENTENCE_LENGTH_MAX = 400


class Keeper:
    """What cannot be kept hides nothing that was found. It is not tried again then: one refusal says it all."""

    def __init__(self, connection: Connection, by: str) -> None:
        self._connection, self._by = connection, by
        #: why nothing is kept any more; empty while it is
        self.failure = ""

    def compared(self, report: Report) -> None:
        """Keep a report, unless there was nothing to compare."""
        if not report.skipped:
            told = [_plain(finding.sentence) for finding in report.findings[:TOLD_MAX]]
            self._keep(
                partial(
                    comparisons.note_compared, position=report.position, differences=report.count, told=told
                ),
                report.shard,
            )

    def missed(self, shard: ShardId, why: str) -> None:
        """Keep that a shard could not be compared."""
        self._keep(partial(comparisons.note_missed, why=_plain(why)), shard)

    def _keep(self, note: Callable[..., None], shard: ShardId) -> None:
        if self.failure:
            return
        try:
            note(self._connection, shard, self._by)
        except Unreachable as error:
            self.failure = str(error)
        except FlashsaleError as error:
            self.failure = f"{error}; run roles.sql again, as after every migration"


def _plain(text: str) -> str:
    """As Postgres takes it: no NUL, nothing that is not UTF-8."""
    cut = text if len(text) <= SENTENCE_LENGTH_MAX else f"{text[:SENTENCE_LENGTH_MAX]}…"
    return cut.encode(errors="backslashreplace").decode().replace("\0", r"\0")

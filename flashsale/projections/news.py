"""What the consumer group has for the shards of one projector: page by page, and one batch ahead under a backlog.

Redis delivers a page, and flushes its file of that, while Postgres works on the batch before. A page that was delivered
ahead and is not applied after all (the batch before it failed, the shard went to another) is pending like any other:
whoever leads the shard next reads it from the log.
"""

from __future__ import annotations

from collections.abc import Sequence

from flashsale.errors import FlashsaleError
from flashsale.stream import PAGE_MAX, Asked, Entry, Log, ShardId


class News:
    """New entries of several shards, at most `batch_max` of each at once."""

    def __init__(self, log: Log, consumer: str, batch_max: int) -> None:
        self._log, self._consumer, self._batch_max = log, consumer, batch_max
        #: entries of one request: Redis does nothing else meanwhile
        self._page_max = min(batch_max, PAGE_MAX)
        #: the last page was full: there is more
        self._has_more = False
        self._asked: Asked | None = None
        self._ahead: dict[ShardId, list[Entry]] = {}
        self._unwanted: set[ShardId] = set()
        self._failure: FlashsaleError | None = None

    def take(self, shards: Sequence[ShardId], block_ms: int | None) -> dict[ShardId, list[Entry]]:
        """A batch of each shard that has news; waits up to `block_ms` for the first. Raises as `Log.read` does."""
        if self._failure is not None:
            raise self._failure
        if self._asked is not None:
            self._receive(self._asked)
        news, self._ahead = self._ahead, {}
        for shard in self._unwanted:
            news.pop(shard, None)
        self._unwanted.clear()
        if not news:
            self._add(news, self._log.read(shards, self._consumer, count=self._page_max, block_ms=block_ms))
        while self._has_more and self._has_room(news):
            page = self._log.read(shards, self._consumer, count=self._page_max, block_ms=None)
            self._add(news, page)
        return news

    def meanwhile(self, shards: Sequence[ShardId]) -> None:
        """While Postgres works on a batch: ask for the next one if there is more, page by page. It raises nothing."""
        try:
            if self._asked is not None and self._asked.is_ready():
                self._receive(self._asked)
            if self._asked is None and self._has_more and self._has_room(self._ahead):
                self._asked = self._log.ask(shards, self._consumer, count=self._page_max)
        except FlashsaleError as error:
            self._has_more, self._failure = False, error  # the batch under way is no worse for it

    def put_back(self, news: dict[ShardId, list[Entry]]) -> None:
        """Keep for the next time what was taken and is not worked on yet. Nothing may have been asked for meanwhile."""
        self._ahead = news

    def forget(self, shard: ShardId) -> None:
        """Drop what is ahead of a shard that is not applied any more."""
        self._unwanted.add(shard)

    def _receive(self, asked: Asked) -> None:
        self._asked = None
        self._add(self._ahead, asked.take())

    def _add(self, news: dict[ShardId, list[Entry]], page: dict[ShardId, list[Entry]]) -> None:
        self._has_more = any(len(entries) == self._page_max for entries in page.values())
        for shard, entries in page.items():
            news.setdefault(shard, []).extend(entries)

    def _has_room(self, news: dict[ShardId, list[Entry]]) -> bool:
        longest = max(map(len, news.values()), default=0)
        return longest + self._page_max <= self._batch_max

"""A shard's stream: its head, its entries, and the scripts' own count. And the stream of its dead letters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from redis.exceptions import NoPermissionError, ResponseError

from flashsale.errors import Halted, Unreachable
from flashsale.ids import LAST, START, Position
from flashsale.keys import dead_letters_key, shard_keys
from flashsale.stream.entries import Account, DeadLetter, Entry, ShardId
from flashsale.stream.group import Group
from flashsale.stream.link import BLOCK_MS, PAGE_MAX, entries_of, flat, key_of

#: About so many dead letters stay in their stream. It is a copy: Postgres has them all.
DEAD_LETTERS_KEPT = 10_000


class Log(Group):
    """Read access to the logs on one Redis. Not for use by several threads at once."""

    def head(self, shard: ShardId) -> Position | None:
        """The position of the newest entry ever written; None when the stream does not exist.

        Raises `Halted` when something else stands in its place.
        """
        return self._last_id(key_of(shard), f"{shard}'s log")

    def existing(self, shards: Sequence[ShardId]) -> set[ShardId]:
        """Those of which the stream is there, or something else in its place; one round trip for each thousand."""
        found = set[ShardId]()
        for start in range(0, len(shards), PAGE_MAX):
            asked = shards[start : start + PAGE_MAX]
            replies = self._call_each([("XINFO", "STREAM", key_of(shard)) for shard in asked])
            found |= {
                shard
                for shard, reply in zip(asked, replies, strict=True)
                if not (isinstance(reply, ResponseError) and "no such key" in str(reply))
            }
        return found

    def record(self, shard: ShardId) -> tuple[Position | None, Position | None]:
        """The newest event's position by the scripts' own count, and a position known to be lost; None: no such record.

        Raises `Halted` when something else stands in the record's place.
        """
        key = shard_keys(shard.sale, shard.shard).sale
        try:
            epoch, seq, lost = self._call("HMGET", key, "epoch", "seq", "lost")
            counted = Position.parse(b"%b-%b" % (epoch, seq)) if epoch and seq else None
            return counted, Position.parse(lost) if lost else None
        except (ResponseError, ValueError) as error:
            raise Halted(f"{shard}'s record cannot be read: {error}") from error

    def counted(self, shard: ShardId) -> Position | None:
        """The newest event's position by the scripts' own count. Raises `Halted` as `record` does."""
        return self.record(shard)[0]

    def origin(self, shard: ShardId) -> str | None:
        """When the definition was stored from which the sale was warmed; None: not known, or nothing is there.

        Raises `Halted` as `record` does.
        """
        try:
            (found,) = self._call("HMGET", shard_keys(shard.sale, shard.shard).sale, "origin")
        except ResponseError as error:
            raise Halted(f"{shard}'s record cannot be read: {error}") from error
        return None if found is None else found.decode(errors="backslashreplace")

    def entries(
        self, shard: ShardId, after: Position, up_to: Position | None = None, count: int = PAGE_MAX
    ) -> list[Entry]:
        """At most `count` entries after a position, in order. Raises `Halted` as `head` does."""
        if after == LAST:  # Redis refuses an interval that begins behind it
            return []
        place = key_of(shard), f"({after}", str(up_to) if up_to else "+"
        return entries_of(self._call_stream(f"{shard}'s log", "XRANGE", *place, "COUNT", count))

    def walk(self, shard: ShardId, after: Position = START, up_to: Position | None = None) -> Iterator[Entry]:
        """Every entry after a position, in order, read a page at a time."""
        while page := self.entries(shard, after, up_to):
            yield from page
            after = page[-1].position

    def newest(self, shard: ShardId, count: int) -> list[Entry]:
        """The newest `count` entries, oldest first. Raises `Halted` as `head` does."""
        place = key_of(shard), "+", "-"
        return entries_of(self._call_stream(f"{shard}'s log", "XREVRANGE", *place, "COUNT", count))[::-1]

    def length(self, shard: ShardId) -> int:
        """How many entries the stream holds now; what was trimmed does not count."""
        return int(self._group_call("XLEN", key_of(shard)))

    def overdue_ms(self, shard: ShardId, now_ms: int) -> int | None:
        """For how long the oldest hold should have ended at `now_ms`, by Redis's clock; None: none should have.

        Raises `Halted` as `record` does.
        """
        try:
            found = self._call("ZRANGE", shard_keys(shard.sale, shard.shard).holds, 0, 0, "WITHSCORES")
            late_ms = now_ms - int(found[1]) if found else 0
        except (ResponseError, ValueError) as error:
            raise Halted(f"{shard}'s holds cannot be read: {error}") from error
        return late_ms if late_ms > 0 else None

    def wait(
        self, shard: ShardId, after: Position, block_ms: int = BLOCK_MS, count: int = PAGE_MAX
    ) -> list[Entry]:
        """Entries after a position; waits up to `block_ms` for the first. Without a consumer group: for watching.

        Raises `Halted` as `head` does.
        """
        place = key_of(shard), str(after)
        raw = self._call_stream(
            f"{shard}'s log", "XREAD", "COUNT", count, "BLOCK", block_ms, "STREAMS", *place
        )
        return entries_of(raw[0][1]) if raw else []

    def last_dead_letter(self, shard: ShardId) -> Position | None:
        """The position of the newest entry ever added to the stream of dead letters; None when there is no stream.

        Raises `Halted` when something else stands in its place.
        """
        try:
            return self._last_id(dead_letters_key(*shard), f"{shard}'s dead letters")
        except ResponseError as error:
            raise Halted(f"the stream of {shard}'s dead letters cannot be read: {error}") from error

    def add_dead_letters(self, shard: ShardId, letters: Sequence[DeadLetter]) -> None:
        """Add entries behind the newest one; one that another process added first is left out."""
        key = dead_letters_key(*shard)
        for letter in letters:
            try:
                self._call(
                    "XADD", key, "MAXLEN", "~", DEAD_LETTERS_KEPT, str(letter.position),
                    "e", letter.body, "error", letter.error, "class", letter.error_class,
                )  # fmt: skip
            except ResponseError as error:
                if "equal or smaller" not in str(error):
                    raise Halted(f"the stream of {shard}'s dead letters takes nothing: {error}") from error

    def server(self) -> Mapping[str, Any]:
        """INFO of the server, as redis-py reads it; empty when this user may not ask.

        Raises `Unreachable` while the server reads its log: it answers INFO then, and says that it keeps no log.
        """
        found: Mapping[str, Any] = _told(lambda: self._guard(self._redis.info), {})
        if found.get("loading"):
            raise Unreachable("Redis refuses to work: LOADING its data, as after each start")
        return found

    def setting(self, name: str) -> str | None:
        """One CONFIG value; None when the server does not tell."""
        found: Mapping[str, str] = _told(lambda: self._guard(lambda: self._redis.config_get(name)), {})
        return found.get(name)

    def account(self) -> Account | None:
        """The user of this connection; None when it may not ask for its own rights."""
        name = _told(lambda: self._call("ACL", "WHOAMI"), None)
        if name is None or not self._may(name, "ACL", "GETUSER", name):
            return None
        raw = _told(lambda: self._call("ACL", "GETUSER", name), None)
        if raw is None:
            return None
        found = flat(raw)
        return Account(
            name=name.decode(errors="backslashreplace"),
            has_password=b"nopass" not in found["flags"],
            may_everything=b"+@all" in found["commands"] and b"~*" in found["keys"].split(),
        )

    def loads_what_scripts_did(self) -> bool | None:
        """Whether `default`, as who Redis loads its log, may do what scripts write there; None: not told."""
        keys = shard_keys("sale", 0)
        writes = (
            ("HSET", keys.stock, "f", "1"),
            ("ZADD", keys.holds, "1", "m"),
            ("XADD", keys.events, "*", "e", "x"),
        )
        told = [self._may("default", *write) for write in writes]
        return None if None in told else all(told)

    def _may(self, name: str | bytes, *command: str | bytes) -> bool | None:
        """Whether a user may run a command; None: not told. What Redis refuses stays in ACL LOG, among intruders."""
        reply = _told(lambda: self._call("ACL", "DRYRUN", name, *command), None)
        return None if reply is None else bool(reply == b"OK")

    def latency_ms(self) -> Mapping[str, int]:
        """Event → its longest time, by Redis's latency monitor; empty when that is off, or not told."""
        events = _told(lambda: self._call("LATENCY", "LATEST"), ())
        return {event[0].decode(): int(event[3]) for event in events}


def _told(ask: Callable[[], Any], otherwise: Any) -> Any:
    """What the server tells; `otherwise` when it knows no such question, or this user may not ask it."""
    try:
        return ask()
    except ResponseError:
        return otherwise
    except Unreachable as error:
        if isinstance(error.__cause__, NoPermissionError):
            return otherwise
        raise

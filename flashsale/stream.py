"""The read side of the log: ranges of a shard's stream, and its consumer group.

Entry ids are positions (epoch-seq), so a place in the log needs no translation. A read may fail and be repeated freely;
nothing here retries by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from flashsale.errors import FlashsaleError, Halted, Unreachable
from flashsale.events import UndecodableEvent, continues, decode
from flashsale.ids import Position
from flashsale.keys import GROUP, dead_letters_key, shard_keys

#: How long a read waits for news. A projector asked to stop leaves within this time.
BLOCK_MS = 500
#: A reply later than this is lost. Well above BLOCK_MS, or waiting would look like a dead server.
REPLY_TIMEOUT_MS = 5_000
assert BLOCK_MS * 2 <= REPLY_TIMEOUT_MS

#: Entries fetched by one read of a range.
PAGE_MAX = 1_000

#: About so many dead letters stay in their stream. It is a copy: Postgres has them all.
DEAD_LETTERS_KEPT = 10_000

#: Error replies by which Redis refuses for now: a replica that was a master, a full disk, too few replicas.
_REFUSED_FOR_NOW = (
    "OOM",
    "MISCONF",
    "NOREPLICAS",
    "READONLY",
    "BUSY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
)
#: Error replies that say that a stream or its group is gone, or that something else took its place.
_GROUP_GONE = ("NOGROUP", "UNBLOCKED", "WRONGTYPE", "no such key")


class ShardId(NamedTuple):
    """One shard of one sale."""

    sale: str
    shard: int

    def __str__(self) -> str:
        return f"{self.sale}:{self.shard}"


class Entry(NamedTuple):
    """One entry of a log as it stands there. `body` is None when the entry lacks the field `e`."""

    position: Position
    body: bytes | None


def follows(before: Position, entry: Entry) -> bool:
    """Whether an entry is the very next one. The first of an epoch says itself what it follows."""
    if before.precedes(entry.position) or before.epoch == entry.position.epoch:
        return before.precedes(entry.position)
    try:
        return continues(before, entry.position, decode(entry.body or b""))
    except UndecodableEvent:
        return False


class Pending(NamedTuple):
    """An entry that was delivered and not acknowledged."""

    position: Position
    consumer: str
    idle_ms: int
    #: 1 after the first delivery; +1 each time another attempt took it over
    deliveries: int


class DeadLetter(NamedTuple):
    """An event that was parked, as other consumers read it."""

    position: Position
    body: bytes
    error_class: str
    error: str


class ConsumerInfo(NamedTuple):
    name: str
    pending: int
    idle_ms: int


class GroupInfo(NamedTuple):
    name: str
    #: everything up to here it has got and acknowledged
    acknowledged: Position


class NoGroup(FlashsaleError):
    """The stream or its consumer group is gone: a flush, a failover, a deletion, a key of another type."""


class Log:
    """Read access to the logs on one Redis. Not for use by several threads at once."""

    def __init__(self, redis_url: str, *, timeout_ms: int = REPLY_TIMEOUT_MS) -> None:
        self._redis: Redis = Redis.from_url(
            redis_url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout_ms / 1000,
            socket_connect_timeout=timeout_ms / 1000,
            health_check_interval=0,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._redis.close()

    def head(self, shard: ShardId) -> Position | None:
        """The position of the newest entry ever written; None when the stream does not exist.

        Raises `Halted` when something else stands in its place.
        """
        return self._last_id(_key(shard), f"{shard}'s log")

    def counted(self, shard: ShardId) -> Position | None:
        """The position of the newest event by the scripts' own count; None when there is no such count."""
        keys = shard_keys(shard.sale, shard.shard)
        try:
            epoch, seq = self._call("HMGET", keys.sale, "epoch", "seq")
            return Position.parse(b"%b-%b" % (epoch, seq)) if epoch and seq else None
        except ValueError:
            return None
        except ResponseError as error:
            if "WRONGTYPE" in str(error):
                return None
            raise

    def entries(
        self, shard: ShardId, after: Position, up_to: Position | None = None, count: int = PAGE_MAX
    ) -> list[Entry]:
        """At most `count` entries after a position, in order."""
        raw = self._call("XRANGE", _key(shard), f"({after}", str(up_to) if up_to else "+", "COUNT", count)
        return _entries(raw)

    def newest(self, shard: ShardId, count: int) -> list[Entry]:
        """The newest `count` entries, oldest first."""
        return _entries(self._call("XREVRANGE", _key(shard), "+", "-", "COUNT", count))[::-1]

    def length(self, shard: ShardId) -> int:
        """How many entries the stream holds now; what was trimmed does not count."""
        return int(self._group_call("XLEN", _key(shard)))

    def wait(
        self, shard: ShardId, after: Position, block_ms: int = BLOCK_MS, count: int = PAGE_MAX
    ) -> list[Entry]:
        """Entries after a position; waits up to `block_ms` for the first. Without a consumer group: for watching."""
        raw = self._call("XREAD", "COUNT", count, "BLOCK", block_ms, "STREAMS", _key(shard), str(after))
        return _entries(raw[0][1]) if raw else []

    def ensure_group(self, shard: ShardId, at: Position) -> bool:
        """Create the consumer group behind `at` if it does not exist. Never at `$`: that would skip events."""
        try:
            self._call("XGROUP", "CREATE", _key(shard), GROUP, str(at))
        except ResponseError as error:
            if "BUSYGROUP" in str(error):
                return False
            if "requires the key to exist" in str(error):
                raise NoGroup(f"the stream of {shard} does not exist") from error
            raise
        return True

    def read(
        self, shards: Sequence[ShardId], consumer: str, *, count: int, block_ms: int | None = BLOCK_MS
    ) -> dict[ShardId, list[Entry]]:
        """New entries of several shards for this consumer; waits up to `block_ms` when there are none (None: not).

        Raises `NoGroup` when one of the groups is gone.
        """
        keys = {_key(shard).encode(): shard for shard in shards}
        waiting = () if block_ms is None else ("BLOCK", block_ms)
        raw = self._group_call(
            "XREADGROUP", "GROUP", GROUP, consumer, "COUNT", count, *waiting,
            "STREAMS", *keys, *(">" for _ in keys),
        )  # fmt: skip
        return {keys[key]: _entries(found) for key, found in raw or ()}

    def delivered(self, shard: ShardId) -> Position:
        """The group's mark: what it hands out next lies behind it. Raises `NoGroup` when there is none."""
        for raw in self._group_call("XINFO", "GROUPS", _key(shard)):
            group = _flat(raw)
            if group["name"] == GROUP.encode():
                return Position.parse(group["last-delivered-id"])
        raise NoGroup(f"{shard} has no consumer group")

    def pending(self, shard: ShardId, after: Position | None = None, count: int = PAGE_MAX) -> list[Pending]:
        """Delivered, not acknowledged entries of all consumers, in order."""
        start = f"({after}" if after else "-"
        raw = self._group_call("XPENDING", _key(shard), GROUP, start, "+", count)
        return [
            Pending(Position.parse(i), name.decode(), int(idle), int(times)) for i, name, idle, times in raw
        ]

    def claim(self, shard: ShardId, consumer: str, positions: Sequence[Position]) -> None:
        """Make these pending entries this consumer's; each one's delivery count grows by one."""
        self._group_call("XCLAIM", _key(shard), GROUP, consumer, 0, *map(str, positions))

    def forgive(self, shard: ShardId, consumer: str, positions: Sequence[Position]) -> None:
        """Claim these entries and set their delivery count back: the attempt failed, but nobody crashed."""
        ids = map(str, positions)
        self._group_call("XCLAIM", _key(shard), GROUP, consumer, 0, *ids, "RETRYCOUNT", 1, "JUSTID")

    def acknowledge(self, shard: ShardId, positions: Sequence[Position]) -> int:
        """Take entries off the pending list; returns how many were on it."""
        return int(self._call("XACK", _key(shard), GROUP, *map(str, positions)))

    def consumers(self, shard: ShardId) -> list[ConsumerInfo]:
        """The group's consumers; empty when there is no group yet."""
        try:
            raw = self._call("XINFO", "CONSUMERS", _key(shard), GROUP)
        except ResponseError:
            return []
        found = [_flat(item) for item in raw]
        return [
            ConsumerInfo(item["name"].decode(), int(item["pending"]), int(item["idle"])) for item in found
        ]

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

    def groups(self, shard: ShardId) -> list[GroupInfo]:
        """Every consumer group of the stream, also those of others. Raises `NoGroup` when there is no stream."""
        found = []
        for raw in self._group_call("XINFO", "GROUPS", _key(shard)):
            group = _flat(raw)
            reached = Position.parse(group["last-delivered-id"])
            for oldest, *_ in self._group_call("XPENDING", _key(shard), group["name"], "-", "+", 1):
                pending = Position.parse(oldest)
                reached = min(reached, pending._replace(seq=pending.seq - 1))
            found.append(GroupInfo(group["name"].decode(errors="backslashreplace"), reached))
        return found

    def server(self) -> Mapping[str, Any]:
        """INFO of the server, as redis-py reads it."""
        found: Mapping[str, Any] = self._guard(self._redis.info)
        return found

    def setting(self, name: str) -> str | None:
        """One CONFIG value; None when the server does not tell."""
        try:
            values = self._guard(lambda: self._redis.config_get(name))
        except ResponseError:
            return None
        return dict(values).get(name)

    def _last_id(self, key: str, what: str) -> Position | None:
        try:
            info = self._call("XINFO", "STREAM", key)
        except ResponseError as error:
            if "no such key" in str(error):
                return None
            if "WRONGTYPE" in str(error):
                raise Halted(f"the key of {what} has another type than flashsale gave it") from error
            raise
        return Position.parse(_flat(info)["last-generated-id"])

    def _group_call(self, *command: Any) -> Any:
        try:
            return self._call(*command)
        except ResponseError as error:
            if str(error).startswith(_GROUP_GONE):
                raise NoGroup(str(error)) from error
            raise

    def _call(self, *command: Any) -> Any:
        connection = self._guard(self._redis.connection_pool.get_connection)
        try:
            self._guard(lambda: connection.send_command(*command))
            return self._guard(connection.read_response)
        finally:
            self._redis.connection_pool.release(connection)

    @staticmethod
    def _guard(call: Any) -> Any:
        try:
            return call()
        except ResponseError as error:
            # redis-py takes the first word off the errors for which it has a class.
            text = f"{error.status_code} {error}" if error.status_code else str(error)
            if text.partition(" ")[0] in _REFUSED_FOR_NOW:
                raise Unreachable(f"Redis refuses to work: {text}") from error
            raise
        except (RedisError, OSError) as error:
            raise Unreachable(f"Redis cannot be reached: {error}") from error


def _key(shard: ShardId) -> str:
    return shard_keys(shard.sale, shard.shard).events


def _entries(raw: Sequence[Any]) -> list[Entry]:
    # XCLAIM and XREADGROUP give nil fields for an entry that was trimmed meanwhile.
    return [
        Entry(
            Position.parse(entry_id), fields[1] if fields and len(fields) == 2 and fields[0] == b"e" else None
        )
        for entry_id, fields in raw
    ]


def _flat(raw: Sequence[Any]) -> dict[str, Any]:
    return {raw[i].decode(): raw[i + 1] for i in range(0, len(raw), 2)}

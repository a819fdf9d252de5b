"""One connection to Redis for reading, and what its replies mean. Nothing here retries by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from flashsale.errors import Halted, Unreachable
from flashsale.ids import Position
from flashsale.keys import shard_keys
from flashsale.loopback import is_local
from flashsale.stream.entries import Entry, NoGroup, ShardId
from flashsale.tls_reasons import reason

#: How long a read waits for news. A projector asked to stop leaves within this time.
BLOCK_MS = 500
#: A reply later than this is lost. Well above BLOCK_MS, or waiting would look like a dead server.
REPLY_TIMEOUT_MS = 5_000
assert BLOCK_MS * 2 <= REPLY_TIMEOUT_MS

#: Entries fetched by one read of a range.
PAGE_MAX = 1_000

#: Error replies by which Redis refuses for now: a replica that was a master, a full disk, too few replicas, a user with
#: too few rights.
_REFUSED_FOR_NOW = (
    "OOM",
    "MISCONF",
    "NOREPLICAS",
    "READONLY",
    "BUSY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "NOPERM",
)
#: Error replies that say that a stream or its group is gone, or that something else took its place.
_GROUP_GONE = ("NOGROUP", "UNBLOCKED", "WRONGTYPE", "no such key")


class Route(NamedTuple):
    """Where a connection leads."""

    #: "": a socket
    host: str
    is_encrypted: bool
    #: the certificate is that of this host, by an authority that is trusted
    is_verified: bool

    @property
    def is_local(self) -> bool:
        """Whether what is sent stays on this machine."""
        return is_local(self.host)


class Link:
    """A connection that asks one thing after the other. Not for use by several threads at once."""

    def __init__(self, redis_url: str, *, timeout_ms: int = REPLY_TIMEOUT_MS) -> None:
        self._redis_url = redis_url
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

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self._redis.close()

    @property
    def route(self) -> Route:
        """How the connection goes, by its URL."""
        pool = self._redis.connection_pool
        options = pool.connection_kwargs
        is_encrypted = issubclass(pool.connection_class, SSLConnection)
        checks = options.get("ssl_cert_reqs") != "none" and options.get("ssl_check_hostname", True)
        return Route(str(options.get("host", "")), is_encrypted, is_verified=is_encrypted and checks)

    def _last_id(self, key: str, what: str) -> Position | None:
        try:
            info = self._call_stream(what, "XINFO", "STREAM", key)
        except ResponseError as error:
            if "no such key" in str(error):
                return None
            raise
        return Position.parse(flat(info)["last-generated-id"])

    def _call_stream(self, what: str, *command: Any) -> Any:
        """Ask for what a stream holds. Raises `Halted` when something else stands in its place."""
        try:
            return self._call(*command)
        except ResponseError as error:
            if "WRONGTYPE" in str(error):
                raise Halted(f"the key of {what} has another type than flashsale gave it") from error
            raise

    def _group_call(self, *command: Any) -> Any:
        return self._group_receive(self._send(*command))

    def _group_receive(self, connection: Connection) -> Any:
        try:
            return self._receive(connection)
        except ResponseError as error:
            if str(error).startswith(_GROUP_GONE):
                raise NoGroup(str(error)) from error
            raise

    def _call(self, *command: Any) -> Any:
        return self._receive(self._send(*command))

    def _call_each(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """The replies to several commands that leave together; of one that Redis does not do, its error."""

        def ask() -> list[Any]:
            pipeline = self._redis.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            return list(pipeline.execute(raise_on_error=False))

        replies: list[Any] = self._guard(ask)
        for reply in replies:
            if isinstance(reply, ResponseError):
                _raise_refusal(reply)
        return replies

    def _send(self, *command: Any) -> Connection:
        """Send a command on a connection of its own; `_receive` waits for the reply and gives the connection back."""
        connection: Connection = self._guard(self._redis.connection_pool.get_connection)
        try:
            self._guard(lambda: connection.send_command(*command))
        except BaseException:
            self._redis.connection_pool.release(connection)
            raise
        return connection

    def _receive(self, connection: Connection) -> Any:
        try:
            return self._guard(connection.read_response)
        finally:
            self._redis.connection_pool.release(connection)

    def _guard(self, call: Any) -> Any:
        try:
            return call()
        except ResponseError as error:
            _raise_refusal(error)
            raise
        except (RedisError, OSError) as error:
            raise Unreachable(f"Redis cannot be reached: {reason(error, self._redis_url)}") from error


def _raise_refusal(error: ResponseError) -> None:
    """Raises `Unreachable` for an error by which Redis refuses for now."""
    # redis-py takes the first word off the errors for which it has a class.
    text = f"{error.status_code} {error}" if error.status_code else str(error)
    if text.partition(" ")[0] in _REFUSED_FOR_NOW:
        raise Unreachable(f"Redis refuses to work: {text}") from error


def key_of(shard: ShardId) -> str:
    return shard_keys(shard.sale, shard.shard).events


def entries_of(raw: Sequence[Any]) -> list[Entry]:
    """Entries as a reply has them. Redis itself made the ids: they need no pattern, and there are many."""
    found = []
    # A NamedTuple's own constructor is a call into Python, twice for each entry.
    made = tuple.__new__
    for entry_id, fields in raw:
        epoch, _, seq = entry_id.partition(b"-")
        # XCLAIM and XREADGROUP give nil fields for an entry that was trimmed meanwhile.
        body = fields[1] if fields and len(fields) == 2 and fields[0] == b"e" else None
        found.append(made(Entry, (made(Position, (int(epoch), int(seq))), body)))
    return found


def flat(raw: Sequence[Any]) -> dict[str, Any]:
    return {raw[i].decode(): raw[i + 1] for i in range(0, len(raw), 2)}

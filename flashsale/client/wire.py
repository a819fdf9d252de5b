"""What both clients share: how to reach Redis for writing, what its errors mean, and the fence.

A write connection never repeats a command by itself: redis-py's default of ten retries would run a script again whose
reply was lost. Callers retry, with the same order id, and get the same answer.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Sequence
from typing import Any

from hiredis import pack_command
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError, NoScriptError, RedisError, ResponseError
from redis.retry import Retry

from flashsale.client.replicas import Command, ReplicaWait, TooFewReplicas
from flashsale.commands import Call
from flashsale.errors import (
    BadInput,
    FlashsaleError,
    Halted,
    NotReplicated,
    OtherShop,
    UnknownOutcome,
    Unreachable,
)
from flashsale.ids import START, Position
from flashsale.settings import REPLICAS_MAX

#: A reply that takes longer is lost: the outcome is unknown. Far above a slow fsync, far below a buyer's patience.
REPLY_TIMEOUT_MS = 5_000

#: Script calls sent in one round trip. Redis runs them in one turn of its loop and syncs the log once for all.
CALLS_PER_ROUND = 8

#: Error replies by which Redis says that it did nothing.
_REFUSED_WHOLE = (
    "OOM",
    "MISCONF",
    "NOREPLICAS",
    "READONLY",
    "LOADING",
    "BUSY",
    "MASTERDOWN",
    "NOPERM",
    "NOAUTH",
    "CLUSTERDOWN",
    "NOSCRIPT",
)
#: The same, said of a command inside a script that the user may not run, by Valkey and by Redis 7.0.
_REFUSED_INSIDE = ("ACL failure in script", "The user executing the script can't")
#: Redis appends which script and line: of no use to whoever reads the message.
_PLACE_IN_SCRIPT = re.compile(r" script: (?:[0-9a-f]{40}, )?on @.*", re.DOTALL)


def replica_wait(replicas: int, timeout_ms: int) -> ReplicaWait:
    """Half of the time that a reply may take is for the replicas. Raises `BadInput`."""
    if type(replicas) is not int or not 0 <= replicas <= REPLICAS_MAX:
        raise BadInput("replicas", replicas, f"use 0 to {REPLICAS_MAX}")
    return ReplicaWait(replicas, max(1, timeout_ms // 2))


def connection_options(timeout_ms: int) -> dict[str, Any]:
    """Options of a write connection, sync or asyncio."""
    return {
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": timeout_ms / 1000,
        "socket_connect_timeout": timeout_ms / 1000,
        "health_check_interval": 0,
        # Replies keep one shape, whatever the library's default becomes.
        "protocol": 2,
    }


#: What Redis may answer instead of a result, as the clients keep it beside the results of a round.
ERROR_REPLIES = (ResponseError, BusyLoadingError, AuthenticationError)


def pack(commands: Sequence[Command]) -> bytes:
    """The bytes of several commands, for one write."""
    return b"".join([pack_command(command) for command in commands])  # type: ignore[arg-type]  # its stub: 1-tuples only


def run_calls(
    calls: Sequence[Call], loaded: set[str], wait: ReplicaWait
) -> Generator[Sequence[Command], list[Any], list[Any]]:
    """The conversation of one round, sans IO: yields commands to send, is sent their replies, returns one per call.

    `loaded` holds the scripts that this connection was told to load; a new one is loaded in front of its first call, so
    that the calls of a round keep their order. A server that forgot a script since (SCRIPT FLUSH, a failover behind a
    proxy) ran nothing of that call: the script is loaded and the call sent again, once. Error replies stand among the
    results.
    """
    loads = _loads(call for call in calls if call.script.sha not in loaded)
    loaded.update(call.script.sha for call in calls)
    ending = wait.commands(calls)
    replies = yield [*loads, *(call.command() for call in calls), *ending]
    results = replies[len(loads) : len(loads) + len(calls)]
    missing = [i for i, result in enumerate(results) if isinstance(result, NoScriptError)]
    if missing:
        loads = _loads(calls[i] for i in missing)
        replies = yield [*loads, *(calls[i].command() for i in missing), *ending]
        for i, result in zip(missing, replies[len(loads) :], strict=False):
            results[i] = result
    return wait.judged(results, replies[-len(ending) :]) if ending else results


def _loads(calls: Iterable[Call]) -> list[Command]:
    return [("SCRIPT", "LOAD", source) for source in dict.fromkeys(call.script.source for call in calls)]


def error_from(error: RedisError) -> FlashsaleError:
    """The exception for an error reply. Every script finds its errors before its first write, so nothing was done."""
    if isinstance(error, TooFewReplicas):
        return NotReplicated(f"decided, and {error}: retry with the same id")
    text = _PLACE_IN_SCRIPT.sub("", str(error))
    # redis-py takes the first word off the errors for which it has a class: OOM, READONLY, NOPERM, ...
    if error.status_code:
        text = f"{error.status_code} {text}"
    word, _, rest = text.partition(" ")
    if by_script := _said_by_script(word, rest):
        return by_script
    if (
        word in _REFUSED_WHOLE
        or isinstance(error, BusyLoadingError)
        or any(said in text for said in _REFUSED_INSIDE)
    ):
        return Unreachable(f"Redis refuses to work: {text}")
    if "WRONGTYPE" in text:
        return Halted(f"a key of this sale has another type than flashsale gave it: {text}")
    return FlashsaleError(f"Redis: {text}")


def partly_done(error: FlashsaleError) -> FlashsaleError:
    """The exception for many requests of which some were decided before this one: nobody may read that none was."""
    if type(error) is not Unreachable:
        return error
    return UnknownOutcome(f"a part may be done, the rest is not: {error}; retry with the same ids")


def _said_by_script(word: str, rest: str) -> FlashsaleError | None:
    """What a script of flashsale says on purpose."""
    match word:
        case "KEY_CORRUPT":
            return Halted(f"Redis holds something flashsale did not write ({rest}): run `flashsale doctor`")
        case "OTHER_SHOP":
            return OtherShop(*rest.split(" "))
        case "INVALID_ARGUMENT":
            return BadInput(rest, "refused by the script", "this is a fault in the caller of the script")
    return None


class Fences:
    """The highest position seen of every shard. A log that is behind it lost its tail and must sell nothing."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], Position] = {}
        self._origins: dict[tuple[str, int], str] = {}

    def of(self, sale: str, shard: int) -> Position:
        return self._seen.get((sale, shard), START)

    def saw(self, sale: str, shard: int, position: Position, origin: str | None = None) -> None:
        """Raise the fence. A lower position changes nothing: the fence never goes down.

        `origin`: of which of all sales of this id it is: of the one that was defined then. None: not known.
        """
        if position > self.of(sale, shard):
            self._seen[sale, shard] = position
        if origin is not None:
            self._origins[sale, shard] = origin

    def text(self, sale: str, shard: int) -> str:
        """As scripts are shown it."""
        origin = self._origins.get((sale, shard))
        return f"{self.of(sale, shard)}@{origin}" if origin else str(self.of(sale, shard))

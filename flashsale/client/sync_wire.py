"""The sync client's connection: one round trip after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.connection import AbstractConnection, Connection, parse_url
from redis.exceptions import RedisError

from flashsale.client.replicas import Command, ReplicaWait
from flashsale.client.wire import (
    ERROR_REPLIES,
    connection_options,
    error_from,
    pack,
    partly_done,
    run_calls,
)
from flashsale.commands import Call
from flashsale.errors import UnknownOutcome, Unreachable
from flashsale.tls_reasons import reason


class SyncWire:
    """One write connection. An error between request and reply closes it: no later caller gets an earlier answer."""

    def __init__(self, redis_url: str, timeout_ms: int, wait: ReplicaWait) -> None:
        self._redis_url = redis_url
        self._wait = wait
        options = connection_options(timeout_ms) | parse_url(redis_url)
        connection_class = options.pop("connection_class", Connection)
        self._connection: AbstractConnection = connection_class(**options)
        self._loaded: set[str] = set()
        self._connected = False

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        self._connection.disconnect()
        self._loaded.clear()
        self._connected = False

    def run(self, calls: Sequence[Call]) -> list[Any]:
        """One round; an error reply is raised, as `UnknownOutcome` if other calls of the round were carried out."""
        # Once a round: what fails after the first exchange is never "nothing was done".
        self._connect()
        conversation = run_calls(calls, self._loaded, self._wait)
        commands = next(conversation)
        while True:
            try:
                commands = conversation.send(self._exchange(commands))
            except StopIteration as end:
                results: list[Any] = end.value
                break
        failed = [result for result in results if isinstance(result, ERROR_REPLIES)]
        if failed:
            error = error_from(failed[0])
            raise (error if len(failed) == len(results) else partly_done(error)) from failed[0]
        return results

    def plain(self, commands: Sequence[Command]) -> list[Any]:
        """Commands that run no script, in one round trip; an error reply is raised."""
        self._connect()
        replies = self._exchange(commands)
        for reply in replies:
            if isinstance(reply, ERROR_REPLIES):
                raise error_from(reply) from reply
        return replies

    def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands and read a reply for each; error replies are returned, not raised."""
        try:
            self._connection.send_packed_command([pack(commands)], check_health=False)
            return [self._read() for _ in commands]
        except (RedisError, OSError) as error:
            self.close()
            raise UnknownOutcome(f"the reply was lost ({error}): retry with the same id") from error
        except BaseException:
            # Ctrl-C between request and reply: the next reply on this connection would answer another request.
            self.close()
            raise

    def _read(self) -> Any:
        try:
            return self._connection.read_response(disconnect_on_error=False)
        except ERROR_REPLIES as error:
            return error

    def _connect(self) -> None:
        try:
            if self._connected and self._has_ended():
                self.close()
            if not self._connected:
                self._connection.connect()
                self._connected = True
        except (RedisError, OSError) as error:
            self.close()
            raise Unreachable(f"Redis cannot be reached: {reason(error, self._redis_url)}") from error
        except BaseException:
            # Ctrl-C within the handshake: its reply would be taken for the next request's.
            self.close()
            raise

    def _has_ended(self) -> bool:
        """Anything readable between two calls is the end of the connection: the server went away meanwhile."""
        try:
            return bool(self._connection.can_read(timeout=0))
        except (RedisError, OSError):  # how redis-py says that the other side closed it
            return True

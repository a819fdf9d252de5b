"""Waiting for replicas: what was decided is told when enough of them have it (level D2), and is unknown until then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from flashsale.commands import Call

#: A Redis command, before it is packed.
Command = tuple[str | int, ...]


class TooFewReplicas(ResponseError):
    """Stands among the results of a round for a reply that must not be told."""


class ReplicaWait(NamedTuple):
    """How many replicas are waited for; 0: none."""

    replicas: int
    #: longer than this, and the outcome is unknown. Shorter than the reply timeout, or the connection would be given up
    timeout_ms: int

    def commands(self, calls: Sequence[Call]) -> tuple[Command, ...]:
        """What follows these calls, in the same write.

        WAIT looks no further than the last write of its own connection, and a repeat writes nothing: its answer would
        be told of an event that no replica has. So something is written always. A message to a channel that nobody
        hears is what replicas get and no file does; in a cluster they do not get it, and HELLO tells of one.
        """
        for call in calls:
            if call.script.emits:
                return self.behind(call.keys[call.script.keys.index("events")])
        return ()

    def behind(self, channel: str) -> tuple[Command, ...]:
        """What has replicas waited for that must have all that was decided before; `channel`: a log's key."""
        if not self.replicas:
            return ()
        return ("HELLO",), ("SPUBLISH", channel, ""), ("WAIT", self.replicas, self.timeout_ms)

    def judged(self, results: Sequence[Any], replies: Sequence[Any]) -> list[Any]:
        """The results of a round, by the replies to `commands`. Error replies stay: there, nothing was done."""
        why = self._why_untold(*replies)
        if not why:
            return list(results)
        return [result if isinstance(result, Exception) else TooFewReplicas(why) for result in results]

    def _why_untold(self, hello: Any, heard: Any, replied: Any) -> str:
        for reply in (hello, heard, replied):
            if isinstance(reply, Exception):
                return f"whether replicas have it is not known: {reply}"
        if b"standalone" not in hello:
            return (
                "whether replicas have it is not known: Redis is a cluster, where no message waits for them"
            )
        if replied < self.replicas:
            return f"{replied} of {self.replicas} replicas have it after {self.timeout_ms} ms"
        return ""


NO_WAIT = ReplicaWait(0, 0)

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
        hears is what replicas get and no file does.
        """
        if not self.replicas or not any(call.script.emits for call in calls):
            return ()
        return ("SPUBLISH", calls[0].keys[-1], ""), ("WAIT", self.replicas, self.timeout_ms)

    def judged(self, results: Sequence[Any], replied: Any) -> list[Any]:
        """The results of a round, by the reply of its WAIT. Error replies stay: there, nothing was done."""
        if isinstance(replied, int):
            if replied >= self.replicas:
                return list(results)
            said = f"{replied} of {self.replicas} replicas have it after {self.timeout_ms} ms"
        else:
            said = f"whether replicas have it is not known: {replied}"
        return [result if isinstance(result, Exception) else TooFewReplicas(said) for result in results]


NO_WAIT = ReplicaWait(0, 0)

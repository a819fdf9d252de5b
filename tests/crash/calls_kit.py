"""The N-th call of a command meets a fault: the calls to Redis and to Postgres are counted together, as they come.

calls.arm(Fault.CUT_REPLY, 7)
child = cli.start("sale", "open", "drop")       # by way of the proxies
calls.victim.put(child.pid)
"""

from __future__ import annotations

import enum
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

from tests.fixtures.proxy import Behaviour, Mode, Proxy

#: No process lets a proxy wait that long for its id.
VICTIM_TIMEOUT_S = 10


class Fault(enum.Enum):
    """What happens to one call."""

    #: the process is killed as it sends the request, which does not arrive
    KILL = enum.auto()
    #: the request does not arrive, and the connection is reset
    RESET = enum.auto()
    #: the request is carried out, and the connection ends without a reply
    CUT_REPLY = enum.auto()
    #: the server says that it cannot, and has done nothing
    REFUSE = enum.auto()


class Calls:
    """Counts the calls of both servers, and chooses the one that meets the fault."""

    def __init__(self) -> None:
        self.count = 0
        self.fault: Fault | None = None
        #: whose calls these are; one process is told of for each time it is armed
        self.victim: SimpleQueue[int] = SimpleQueue()
        self._at = 0
        self._lock = threading.Lock()

    def arm(self, fault: Fault | None, at: int = 0) -> None:
        """Begin to count anew; the call of that number, from 1 on, meets the fault."""
        with self._lock:
            self.count, self.fault, self._at = 0, fault, at
        self.victim = SimpleQueue()

    @property
    def has_bitten(self) -> bool:
        """Whether there was such a call."""
        return self.fault is not None and self.count >= self._at

    def meet(self) -> Fault | None:
        """What the next call meets."""
        with self._lock:
            self.count += 1
            return self.fault if self.count == self._at else None

    def kill(self) -> None:
        """End the process that calls."""
        os.kill(self.victim.get(timeout=VICTIM_TIMEOUT_S), signal.SIGKILL)


class CallProxy(Proxy):
    """A proxy whose requests are counted among the calls of a command."""

    def __init__(self, upstream_url: str, calls: Calls) -> None:
        super().__init__(upstream_url)
        self._calls = calls
        self._is_redis = not upstream_url.startswith("postgres")

    def meet(self, request: bytes | None) -> Behaviour:
        """What this call meets, and no other."""
        if request is None or request == _GOODBYE:
            return Behaviour()
        fault = self._calls.meet()
        if fault is Fault.KILL:
            self._calls.kill()
        if fault is Fault.CUT_REPLY:
            return Behaviour(Mode.CUT_REPLY)
        if fault is Fault.REFUSE:
            refusal = redis_refusal(request) if self._is_redis else POSTGRES_REFUSAL
            if refusal:
                return Behaviour(Mode.REFUSE, reply=refusal, ends=not self._is_redis)
        return Behaviour() if fault is None else Behaviour(Mode.RESET)


@contextmanager
def counted(redis_url: str, postgres_url: str) -> Iterator[tuple[Calls, Proxy, Proxy]]:
    """Proxies in front of both servers."""
    calls = Calls()
    with CallProxy(redis_url, calls) as to_redis, CallProxy(postgres_url, calls) as to_postgres:
        yield calls, to_redis, to_postgres


#: How a session of Postgres ends: it has no reply, and whoever sent it may be gone.
_GOODBYE = b"X\0\0\0\4"


def _postgres_error(**fields: Any) -> bytes:
    body = b"".join(f"{name}{value}\0".encode() for name, value in fields.items()) + b"\0"
    return b"E" + (len(body) + 4).to_bytes(4, "big") + body


#: What each session is told when Postgres is restarted.
POSTGRES_REFUSAL = _postgres_error(
    S="FATAL", V="FATAL", C="57P01", M="terminating connection due to administrator command"
)
#: What Redis says to what would write while its disk is full; and to everything while it starts.
_DISK_FULL = b"-MISCONF Errors writing to the AOF file: No space left on device\r\n"
_STARTING = b"-LOADING Redis is loading the dataset in memory\r\n"
_WRITES = (b"EVALSHA", b"XACK", b"XGROUP", b"XADD", b"XCLAIM", b"XREADGROUP")


def redis_refusal(request: bytes) -> bytes:
    """An error for each command of a request; nothing when a part of one is missing."""
    replies, rest = b"", request
    while rest:
        command, rest = _split(rest)
        if not command:
            return b""
        replies += _DISK_FULL if command[0].upper() in _WRITES else _STARTING
    return replies


def _split(request: bytes) -> tuple[list[bytes], bytes]:
    """The first command of a request, and what follows it."""
    head, _, rest = request.partition(b"\r\n")
    words: list[bytes] = []
    for _ in range(int(head[1:])):
        size, _, rest = rest.partition(b"\r\n")
        length = int(size[1:] or b"0")
        if len(rest) < length + 2:
            return [], b""
        words.append(rest[:length])
        rest = rest[length + 2 :]
    return words, rest

"""One connection's limits: how many there are, how long a head may be and take, and an answer that nobody reads.

The server's own protocol has none.

Bodies are limited where they are read. What a client sends between an answer and the next head, a body that nobody read
or empty lines, keeps its connection no longer than silence would: the server's own alarm begins anew at every byte.
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from flashsale.gateway import problems
from flashsale.gateway.alarm import Alarm
from flashsale.gateway.outlet import Outlet
from flashsale.gateway.problems import Problem
from flashsale.gateway.reading import BODY
from flashsale.gateway.ready import REPLY

#: Request line and headers together. Browsers send 1 to 2 KB, cookies of a shop's domain up to 4 KB more.
HEAD_BYTES_MAX = 16 * 1024
#: From the first byte to the last one of a head; of the first head, from the connection.
HEAD_S = 5.0
#: A client that has an answer before it reads so much of it in so many seconds: a kilobyte a second, on a bad network.
UNREAD_S = 10.0
READ_BYTES_MIN = 10_000


class LimitedProtocol(HttpToolsProtocol):
    """HTTP/1.1 within limits."""

    #: set by the server that uses it
    connections_max = 1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: whether a head is arriving, and how much of it has, before the chunk that is being read
        self._has_head, self._head_bytes, self._chunk_bytes = False, 0, 0
        #: while a head arrives, and from an answer to the next head
        self._alarm = Alarm(self.loop)
        #: while something is to be sent that the kernel does not take: how much it was
        self._unread: asyncio.TimerHandle | None = None
        self._unread_bytes = 0
        self._refusal = problems.BAD_REQUEST

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        # Told of everything that is not taken at once: `close` waits for it, too, and without an end.
        transport.set_write_buffer_limits(high=0)
        self._outlet = Outlet(transport)
        if len(self.connections) > self.connections_max:
            self._refuse(Problem(problems.OVERLOADED, "too many connections"))
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._alarm.end()
        self._all_is_read()
        super().connection_lost(exc)
        # Both hold this connection, too: with them, it would wait for the garbage collector.
        self.cycle = self.scope = None  # type: ignore[assignment]  # as they were before the first request

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._chunk_bytes = len(data)
        super().data_received(data)
        # The parser keeps a header that has not ended, however long it becomes.
        if self._has_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse(Problem(problems.HEADERS_TOO_LARGE, _TOO_LONG))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reading()

    def resume_writing(self) -> None:
        self._all_is_read()
        super().resume_writing()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        # For a response that does not end: `request.state.outlet`.
        self.scope["state"]["outlet"] = self._outlet
        self._await_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        # What comes behind the body is a trailer: whoever took a header away did not see it.
        if self._has_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        # Most arrive in one small chunk: theirs need not be counted.
        if self._head_bytes + self._chunk_bytes > HEAD_BYTES_MAX:
            length = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if length > HEAD_BYTES_MAX:
                self._refusal = problems.HEADERS_TOO_LARGE
                raise ValueError(_TOO_LONG)  # the parser stops, and `send_400_response` tells
        self._head_is_whole()
        super().on_headers_complete()
        if self.scope["method"] != "HEAD":
            self.scope["state"][REPLY] = self._reply

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.scope["state"][BODY] = self.cycle.body

    def on_response_complete(self) -> None:
        """Instead of the server's own, which sets a timer with every answer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif not self._has_head:
            self._alarm.set(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _reply(self, scope: Scope, status: int, lines: bytes, body: bytes) -> bool:
        """Write a whole answer, unless it must wait, or there is nobody any more; tells whether it was written.

        Where the next request has arrived already, the server writes it.
        """
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.scope is not scope:
            return False
        if self.flow.write_paused or cycle.disconnected or cycle.response_started:
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        common = b"".join([b"%b: %b\r\n" % pair for pair in cycle.default_headers])
        last = b"" if cycle.keep_alive else b"connection: close\r\n"
        self.transport.write(b"%b%b%b%b\r\n%b" % (STATUS_LINE[status], common, lines, last, body))
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()
        return True

    def shutdown(self) -> None:
        """The server leaves: what does not end by itself is ended."""
        self._outlet.leave()
        super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """What the server calls for bytes that are no HTTP."""
        sentence = _TOO_LONG if self._refusal is problems.HEADERS_TOO_LARGE else msg
        self._refuse(Problem(self._refusal, sentence))

    def _await_head(self) -> None:
        self._has_head, self._head_bytes = True, 0
        self._alarm.set(HEAD_S, self._head_is_late)

    def _head_is_whole(self) -> None:
        self._has_head, self._head_bytes = False, 0
        self._alarm.off()

    def _watch_reading(self) -> None:
        self._unread_bytes = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(UNREAD_S, self._look_at_reading)

    def _look_at_reading(self) -> None:
        """Hang up on who has read next to nothing; or, of a feed, less than has come meanwhile."""
        if self._unread_bytes - self.transport.get_write_buffer_size() < READ_BYTES_MIN:
            self.transport.abort()
        else:
            self._watch_reading()

    def _all_is_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _head_is_late(self) -> None:
        self._refuse(Problem(problems.TOO_SLOW, f"the headers took longer than {HEAD_S:g} s"))

    def _refuse(self, problem: Problem) -> None:
        """Say why, and hang up."""
        self._head_is_whole()
        if self.transport.is_closing():
            return
        response = problem.response()
        head = b"".join(b"%b: %b\r\n" % pair for pair in response.raw_headers)
        status = f"HTTP/1.1 {response.status_code} {problem.kind.title}\r\n".encode()
        self.transport.write(b"%b%bconnection: close\r\n\r\n%b" % (status, head, bytes(response.body)))
        self.transport.close()


_TOO_LONG = f"request line and headers have at most {HEAD_BYTES_MAX} bytes together"

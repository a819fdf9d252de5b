"""An answer that is made once for many: what stands on the wire is made once, too."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

#: In the state of a request, set by the protocol: takes status, headers and body of an answer, and writes it at once.
REPLY = "flashsale.reply"


class Ready(Response):
    """The same answer as another one. The server checks and joins headers each time; of these, once is enough."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.body, response.status_code)
        self.raw_headers = response.raw_headers
        self._lines = b"".join(b"%b: %b\r\n" % pair for pair in response.raw_headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reply = scope.get("state", {}).get(REPLY)
        if reply is None or not reply(self.status_code, self._lines, self.body):
            await super().__call__(scope, receive, send)

"""The composition of the operator page: from settings to a server that answers."""

from __future__ import annotations

import asyncio

import msgspec
import structlog

from flashsale.address import Address
from flashsale.bootstrap import Parts
from flashsale.errors import BadInput
from flashsale.gateway.server import Server, listen
from flashsale.loopback import is_local
from flashsale.operator.app import application
from flashsale.operator.comparing import Comparisons
from flashsale.operator.desk import Desk
from flashsale.operator.door import Door
from flashsale.operator.people import PersonTokens
from flashsale.operator.watch import Watch

log = structlog.get_logger(__name__)

#: A few people with a few tabs each; more are refused.
CONNECTIONS_MAX = 200
#: Who the page is to the servers while nobody acts.
_WATCHER = "operator-page"


class Options(msgspec.Struct, frozen=True):
    """What the page is told beside the settings. Raises `BadInput` for an address that shows tokens to the network."""

    address: Address
    behind_tls: bool = False

    def __post_init__(self) -> None:
        if not (self.behind_tls or is_local(self.address.host)):
            raise BadInput(
                "--listen",
                str(self.address),
                "listen on 127.0.0.1, or add --behind-tls if a proxy that speaks TLS is in front",
            )


class OperatorServer(Server):
    """The gateway's server, which says what it serves."""

    def tell_serving(self, url: str) -> None:
        log.info("serving", action="operator_serving", url=url)

    def tell_stopped(self) -> None:
        log.info("stopped", action="operator_stopped")


def run(parts: Parts, options: Options) -> int:
    """Serve until told to stop; returns the exit code. Raises `BadInput` without a secret to read tokens by."""
    door = Door(PersonTokens(parts.settings.gateway_secrets), behind_tls=options.behind_tls)
    with listen(options.address) as listener, asyncio.Runner() as runner:
        parts.urls()  # private servers start here, and not in the thread of the watch
        watch = Watch(lambda: parts.connected(_WATCHER))
        server = OperatorServer(application(Desk(parts, watch, Comparisons()), door), CONNECTIONS_MAX)
        watch.start()
        try:
            return runner.run(server.run_beside(listener))
        finally:
            watch.stop()

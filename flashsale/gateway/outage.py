"""A server that is away: told when it begins and when it is over, not at every attempt between."""

from __future__ import annotations

import structlog

log = structlog.get_logger(__name__)


class Outage:
    """Of one server, as one task meets it."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._is_on = False

    def met(self, error: Exception) -> None:
        """It did not answer."""
        if not self._is_on:
            log.warning(str(error), action="gateway_degraded", server=self._server)
        self._is_on = True

    def over(self) -> None:
        """It answered."""
        if self._is_on:
            log.info("it answers again", action="gateway_recovered", server=self._server)
        self._is_on = False

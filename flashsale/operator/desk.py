"""What the pages work with: connections in the name of whoever acts, and what the watch has seen."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple

import structlog

from flashsale.bootstrap import Parts
from flashsale.operator.comparing import Comparisons
from flashsale.operator.people import Person
from flashsale.operator.watch import Watch
from flashsale.shop import Shop

log = structlog.get_logger(__name__)


class Desk(NamedTuple):
    """Shared by all pages, and safe for use by several threads at once: each connects for itself."""

    parts: Parts
    watch: Watch
    comparisons: Comparisons

    def connected(self, person: Person) -> AbstractContextManager[Shop]:
        """Connections, closed at the end. What is done with them stands in the log under the person's name."""
        return self.parts.connected(person.actor)


def acted(person: Person, sale: str, what: str) -> None:
    """Log what somebody did here; the audit itself is the event, or the row, that it left."""
    log.info("somebody acted", action="operator_acted", by=person.actor, sale=sale, what=what)

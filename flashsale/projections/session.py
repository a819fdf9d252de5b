"""What a projector works over: one session of Postgres, one reader of the log, and the news of the shards it leads."""

from __future__ import annotations

import psycopg
import structlog

from flashsale.projections.database import connect
from flashsale.projections.lease import release, rivals
from flashsale.projections.migrate import check_schema
from flashsale.projections.news import News
from flashsale.stream import Log

log = structlog.get_logger(__name__)


class Session:
    """Connected when it is made. Raises `Unreachable`, and `RefusedByState` for a schema that is not this release's."""

    def __init__(self, redis_url: str, postgres_url: str, name: str, batch_max: int) -> None:
        self._name, self._application = name, f"flashsale projector {name}"
        self.connection = connect(postgres_url, name=self._application)
        try:
            check_schema(self.connection)
        except BaseException:
            self.connection.close()
            raise
        self.log = Log(redis_url)
        self.news = News(self.log, name, batch_max)

    def warn_of_rivals(self) -> None:
        """Warn of another projector of this name.

        Two of one name are one consumer of the group: each takes what the other has pending for its own.
        """
        if rivals(self.connection, self._application):
            log.warning(
                "another projector of this name is connected: give each a name of its own",
                action="name_taken", projector=self._name,
            )  # fmt: skip

    def refuse_other_schema(self, error: psycopg.Error) -> None:
        """Raise `RefusedByState` when a statement failed because the schema is another by now (SQLSTATE class 42)."""
        if (error.sqlstate or "").startswith("42"):
            check_schema(self.connection)

    def close(self) -> None:
        """Give the leases back and close both connections."""
        try:
            release(self.connection, self._name)
        except psycopg.Error:
            log.debug("the session is gone, and with it the leases", action="session_lost")
        self.connection.close()
        self.log.close()

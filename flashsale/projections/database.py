"""One way to connect to Postgres, and one reading of its errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from flashsale.config import mask
from flashsale.errors import BadInput, FlashsaleError, UnknownOutcome, Unreachable
from flashsale.projections import arrays

Connection = psycopg.Connection[TupleRow]

#: A statement that takes longer is stopped; the batch is rolled back and tried again.
STATEMENT_TIMEOUT_MS = 15_000
#: Waiting for a lock longer than this means an operator's DDL or a rival: roll back, try again.
LOCK_TIMEOUT_MS = 5_000
CONNECT_TIMEOUT_S = 5
#: A server that vanished without a word (power, a cut network) is noticed within 25 s; the kernel would take two hours.
#: Unix sockets ignore these.
_VANISHED: dict[str, Any] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}

#: Part of a sentence of libpq or of the server → what to do.
_TLS_REMEDIES = {
    "certificate verify failed": "it has expired, or another authority than that in sslrootcert has signed it: "
    "`openssl s_client -starttls postgres -connect HOST:PORT` shows it",
    "does not match host name": "use a name that its certificate is for, or make one for this (subjectAltName)",
    "root certificate file": "name the authority's certificate with sslrootcert",
    "server does not support SSL": "have it speak TLS (ssl = on), or name the server that does",
    "no encryption": "if it wants TLS, add sslmode=verify-full and sslrootcert to its URL",
}

_QUOTED = re.compile(r'"[^"]*"')

#: SQLSTATE classes and codes after which the same statement may succeed: connection, resources, operator, rollback,
#: locks, a standby, a transaction in which this process slept too long (its machine was frozen, say).
_TRANSIENT_CLASSES = ("08", "53", "57", "58", "40")
_TRANSIENT_CODES = ("55P03", "55006", "25006", "25P03", "25P04", "XX000")


def connect(conninfo: str, *, name: str = "flashsale") -> Connection:
    """A connection in autocommit mode, with timeouts and durable commits pinned.

    Raises `Unreachable`, or `BadInput` for what libpq cannot read as a URL.
    """
    options = (
        f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS} "
        "-c idle_in_transaction_session_timeout=15000 -c synchronous_commit=on"
    )
    try:
        connection = psycopg.connect(
            conninfo,
            autocommit=True,
            application_name=name,
            connect_timeout=CONNECT_TIMEOUT_S,
            options=options,
            # Plans of a prepared statement survive; the apply statement is worth preparing at once.
            prepare_threshold=1,
            **_VANISHED,
        )
    except (psycopg.ProgrammingError, UnicodeError) as error:
        shown, reason = mask(conninfo), one_line(error)
        if shown == conninfo:
            raise BadInput("postgres_url", shown, f"libpq cannot read it: {reason}") from error
        # libpq quotes what it cannot read, a part of the password perhaps: no traceback may show it, either.
        reason = _QUOTED.sub('"***"', reason)
        raise BadInput("postgres_url", shown, f"libpq cannot read it: {reason}") from None
    except psycopg.Error as error:
        raise Unreachable(f"Postgres cannot be reached: {_with_remedy(one_line(error))}") from error
    arrays.register(connection.adapters)
    return connection


def _with_remedy(said: str) -> str:
    """What libpq says; about TLS with what to do, which is never what it advises: not to look at the certificate."""
    for words, remedy in _TLS_REMEDIES.items():
        if words in said:
            return f"{said.partition(' Either provide the file')[0]}; {remedy}"
    return said


def is_transient(error: psycopg.Error) -> bool:
    """Whether the same work may succeed later: never a reason to park an event."""
    if error.sqlstate is None:
        # No answer from the server at all: a lost connection, or a fault of ours in building the statement.
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(_TRANSIENT_CLASSES) or error.sqlstate in _TRANSIENT_CODES


def is_data_error(error: psycopg.Error) -> bool:
    """Whether the values themselves are refused: class 22 (data exception), 23 (constraint), 54 (too large)."""
    return error.sqlstate is not None and error.sqlstate.startswith(("22", "23", "54"))


@contextmanager
def written(connection: Connection, *, force_rollback: bool = False) -> Iterator[None]:
    """A transaction of a command that a person runs. When the reply to its commit is lost, that is an `UnknownOutcome`.

    Within another transaction it is a savepoint, and nothing is committed.
    """
    commits = connection.info.transaction_status is TransactionStatus.IDLE and not force_rollback
    is_committing = False
    try:
        with connection.transaction(force_rollback=force_rollback):
            yield
            is_committing = commits
    except psycopg.OperationalError as error:
        if is_committing and error.sqlstate is None:  # with a state, Postgres says that it was rolled back
            raise _unknown(error) from error
        raise


@contextmanager
def written_at_once() -> Iterator[None]:
    """The same for a single statement, which commits by itself."""
    try:
        yield
    except psycopg.OperationalError as error:
        if error.sqlstate is None:
            raise _unknown(error) from error
        raise


def _unknown(error: psycopg.Error) -> UnknownOutcome:
    return UnknownOutcome(
        f"Postgres went away: this may or may not have been done, so look first ({one_line(error)})"
    )


@contextmanager
def errors_told() -> Iterator[None]:
    """Turn psycopg's errors into flashsale's, for commands that a person runs."""
    try:
        yield
    except psycopg.errors.UndefinedTable as error:
        raise SchemaMissing from error
    except psycopg.Error as error:
        if is_transient(error):
            raise Unreachable(f"Postgres: {one_line(error)}") from error
        raise FlashsaleError(f"Postgres: {one_line(error)}") from error


class SchemaMissing(FlashsaleError):
    """The tables of flashsale are not in this database: run `flashsale db migrate`."""

    exit_code = 4


def one_line(error: Any) -> str:
    """What psycopg says, as a part of a sentence: libpq breaks its lines."""
    return " ".join(str(error).split())

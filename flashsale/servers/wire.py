"""As much of Postgres's protocol as it takes to see whether a server works, and to run one statement."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import BinaryIO

from flashsale.errors import Unreachable

_PROTOCOL_3_0 = struct.pack("!hh", 3, 0)
_LENGTH = struct.Struct("!i")  # counts itself, too
_HEAD = struct.Struct("!ci")
_MESSAGE_BYTES_MAX = 1_000_000
_READY_FOR_QUERY = b"Z"
_ERROR = b"E"
_AUTHENTICATION = b"R"
_AUTHENTICATED = b"\0\0\0\0"


class ServerError(Unreachable):
    """Postgres refused; `code` is its five-letter SQLSTATE."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"Postgres answered: {message} ({code})")
        self.code = code


def execute(path: Path, user: str, database: str, statement: str, limit_s: float) -> None:
    """Connect to the socket at `path`, without a password, and run one statement; "" is a statement, too.

    Raises `ServerError`, or `OSError` when there is nobody, or nobody who answers within `limit_s`.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(limit_s)
        connection.connect(str(path))
        with connection.makefile("rb") as replies:
            fields = "".join(f"{word}\0" for word in ("user", user, "database", database))
            connection.sendall(_counted(_PROTOCOL_3_0 + fields.encode() + b"\0"))
            _read_until_ready(replies)
            connection.sendall(b"Q" + _counted(statement.encode() + b"\0"))
            _read_until_ready(replies)
            connection.sendall(b"X" + _counted(b""))


def _counted(payload: bytes) -> bytes:
    return _LENGTH.pack(_LENGTH.size + len(payload)) + payload


def _read_until_ready(replies: BinaryIO) -> None:
    error: ServerError | None = None
    while True:
        head = replies.read(_HEAD.size)
        if len(head) < _HEAD.size:  # a fatal error ends the connection
            raise error or ConnectionError("Postgres closed the connection")
        kind, length = _HEAD.unpack(head)
        if not _LENGTH.size <= length <= _MESSAGE_BYTES_MAX:
            raise ConnectionError("this is not Postgres")
        payload = replies.read(length - _LENGTH.size)
        if kind == _AUTHENTICATION and payload != _AUTHENTICATED:
            raise ServerError("28000", "it wants a password; pg_hba.conf was changed")
        if kind == _ERROR:
            error = _error_of(payload)
        if kind == _READY_FOR_QUERY:
            if error:
                raise error
            return


def _error_of(payload: bytes) -> ServerError:
    fields = {part[:1]: part[1:].decode(errors="replace") for part in payload.split(b"\0") if part}
    return ServerError(fields.get(b"C", ""), fields.get(b"M", ""))

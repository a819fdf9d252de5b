"""Postgres: version, role, disk, room, who gets in, and the schema."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from flashsale.doctor import versions
from flashsale.doctor.check import Check, checked, few_left
from flashsale.errors import FlashsaleError
from flashsale.loopback import is_local
from flashsale.projections.database import Connection, errors_told
from flashsale.projections.migrate import schema_status
from flashsale.projections.queries import query
from flashsale.projections.replays import live_tables
from flashsale.projections.versions import PROJECTION_VERSIONS


class Server(msgspec.Struct, frozen=True):
    """What the server says of itself, in the order of the statement."""

    in_recovery: bool
    fsync: str
    full_page_writes: str
    synchronous_commit: str
    data_checksums: str
    connections: int
    connections_max: int
    is_superuser: bool
    listen_addresses: str
    read_only: str


def server_of(connection: Connection) -> Server:
    with errors_told():
        row = connection.execute(query("read", "server_settings")).fetchone()
    if row is None:
        raise FlashsaleError("Postgres does not tell its settings")
    return Server(*row)


def essentials(connection: Connection, server: Server) -> Iterator[Check]:
    """What the promise rests on: a server that fails one of these takes no orders, or not all."""
    version = connection.info.parameter_status("server_version") or "0"
    yield versions.age("Postgres", version, versions.POSTGRES_OLDEST)
    if server.in_recovery:
        yield Check(
            "Postgres role", "fail", "standby", "this is a standby and refuses writes: name its primary"
        )
    if (encoding := connection.info.parameter_status("server_encoding")) != "UTF8":
        yield Check(
            "encoding",
            "fail",
            str(encoding),
            "titles are text in any script: make the database with ENCODING 'UTF8'",
        )


def advice(connection: Connection, server: Server) -> Iterator[Check]:
    """What goes well today, and may not tomorrow; then the schema."""
    if server.read_only == "on" and not server.in_recovery:
        found = "default_transaction_read_only on"
        yield Check("Postgres role", "warn", found, "projectors need a role that may write")
    unsafe = [name for name in ("fsync", "full_page_writes") if getattr(server, name) != "on"]
    yield checked(
        "Postgres disk", f"{' and '.join(unsafe)} off" if unsafe else "fsync and full_page_writes on",
        "set them on: a crash of the machine can damage the database, which can then only be rebuilt from the log",
        holds=not unsafe, verdict="warn",
    )  # fmt: skip
    yield checked(
        "Postgres commit", f"synchronous_commit {server.synchronous_commit}",
        "something between flashsale and Postgres drops its options: let them through, or a crash loses commits "
        "whose events may be trimmed", holds=server.synchronous_commit != "off", verdict="warn",
    )  # fmt: skip
    yield checked(
        "Postgres checksums", f"data_checksums {server.data_checksums}",
        "pg_checksums --enable, while it is stopped: else a disk that returns other bytes goes unnoticed",
        holds=server.data_checksums == "on", verdict="warn",
    )  # fmt: skip
    yield few_left(
        "Postgres connections", server.connections, server.connections_max, "connections",
        "raise max_connections, or use fewer: a daemon that finds no place waits",
    )  # fmt: skip
    yield from _access(connection, server)
    yield from _schema(connection)


def _access(connection: Connection, server: Server) -> Iterator[Check]:
    """A server that listens on no network is used by those whom its socket lets in."""
    if server.listen_addresses:
        yield checked(
            "Postgres rights", f"user {connection.info.user}, {'' if server.is_superuser else 'no '}superuser",
            "use a role that owns nothing but flashsale's database: this one can do anything to the whole server",
            holds=not server.is_superuser, verdict="warn",
        )  # fmt: skip
    host = connection.info.host
    is_here = is_local(connection.info.hostaddr or host)
    if connection.pgconn.ssl_in_use:
        is_verified = _sslmode(connection) == "verify-full"
        yield checked(
            "Postgres encryption", "TLS" if is_verified else "TLS, its certificate not checked",
            "add sslmode=verify-full and sslrootcert to its URL: else whoever sits between sees everything",
            holds=is_verified or is_here, verdict="warn",
        )  # fmt: skip
    else:
        yield checked(
            "Postgres encryption", "on this machine" if is_here else f"plain text to {host}",
            "add sslmode=verify-full and sslrootcert to its URL: passwords and orders cross the network as text",
            holds=is_here, verdict="warn",
        )  # fmt: skip


def _sslmode(connection: Connection) -> str:
    """The mode in force, whether it comes from the URL, the environment or a service file."""
    options = {option.keyword: option.val for option in connection.pgconn.info}
    return (options.get(b"sslmode") or b"").decode()


def _schema(connection: Connection) -> Iterator[Check]:
    status = schema_status(connection)
    if status.too_new:
        found = f"has {', '.join(status.too_new)} of a newer flashsale"
        yield Check("schema", "fail", found, "upgrade this flashsale")
    elif status.missing:
        yield Check("schema", "fail", f"lacks {', '.join(status.missing)}", "run `flashsale db migrate`")
    else:
        found = f"version {status.applied[-1]}, up to date"
        if status.unknown:
            found = f"version {status.applied[-1]}, of a newer flashsale that this one can work with"
        elif status.waiting:
            found = (
                f"version {status.applied[-1]}; {', '.join(status.waiting)} waits for `db migrate --contract`"
            )
        yield Check("schema", "ok", found)
        yield _projections(connection)


def _projections(connection: Connection) -> Check:
    old = [
        live.table for live in live_tables(connection) if live.version != PROJECTION_VERSIONS.get(live.name)
    ]
    return checked(
        "projections", f"built by another version of the code: {', '.join(old)}"
        if old else "built by this version of the code",
        "they are right for those who read them; `flashsale replay --all` builds them anew",
        holds=not old, verdict="warn",
    )  # fmt: skip

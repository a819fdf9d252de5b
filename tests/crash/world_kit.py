"""Both servers as a whole: put back into a state that was made once, and told without what differs from run to run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import psycopg
import redis
from psycopg import sql

from flashsale.events import ShardState, decode, fold
from flashsale.ids import START
from tests.fixtures.read_side import ReadSide, open_read_side
from tests.helpers import wait_until

#: A time by Redis's clock, in ms.
TIME_MS = re.compile(r"(?<!\d)1\d{12}(?!\d)(\.0)?")
#: Columns that tell when, by whom and at which try.
VOLATILE = (
    *("at", "fence", "holder", "heartbeat_at", "backend_pid", "backend_start", "run", "audit_id", "attempts"),
    *("restarts", "defined_at", "first_at", "last_at", "started_at", "changed_at", "applied_at"),
)
TABLES = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1
"""
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> %s"
NEXT_TRANSACTION = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"

#: Makes a state, by way of the servers it is given.
Scene = Callable[[ReadSide], None]
#: What both servers hold, by the name of the key or the table.
Essence = dict[str, list[str]]


@dataclass
class World:
    """A Redis, and a database that is made anew for every run that needs it."""

    redis_url: str
    redis: redis.Redis
    #: a session beside the database: databases are made and dropped by it
    admin: psycopg.Connection[Any]
    #: of the database that is made anew
    postgres_url: str
    #: of a database with the schema and no rows, to begin with
    schema: str
    _keys: dict[Scene, dict[bytes, bytes]] = field(default_factory=dict)
    _made: dict[Scene, str] = field(default_factory=dict)
    #: the scene of the database, and the next transaction's number then: while that is the same, nobody has written
    _in: tuple[Scene, int] | None = None
    #: what is closed before the database is copied or dropped
    _side: ExitStack = field(default_factory=ExitStack)

    @property
    def database(self) -> str:
        """The name of the one that is made anew."""
        return urlsplit(self.postgres_url).path[1:]

    def put_back(self, scene: Scene) -> ReadSide:
        """Have the state of a scene, exactly; returns what reads there, until the next time."""
        if scene not in self._made:
            self._make(scene)
        if self._in != (scene, self._next_transaction()):
            self._open(self._made[scene])
            self._in = (scene, self._next_transaction())
        self.redis.flushall()
        with self.redis.pipeline(transaction=False) as pipe:
            for key, value in self._keys[scene].items():
                pipe.restore(key, 0, value)
            pipe.execute()
        return self.side

    def _make(self, scene: Scene) -> None:
        name = f"{self.database}_{len(self._made)}"
        self.redis.flushall()
        scene(self._open(self.schema))
        keys: Any = self.redis.keys()
        self._keys[scene] = {key: value for key in keys if (value := self.redis.dump(key)) is not None}
        self._side.close()
        self._copy(self.database, name)
        self._made[scene] = name

    def _open(self, template: str) -> ReadSide:
        self._side.close()
        self._copy(template, self.database)
        self.side = self._side.enter_context(open_read_side(self.redis_url, self.postgres_url))
        return self.side

    def settle(self) -> None:
        """Return when no session of a command is left: Postgres notices an end a moment after it."""
        own = self.side.postgres.info.backend_pid
        wait_until(lambda: self._sessions(self.database, own) == 0, 20, "all sessions have ended")

    def essence(self) -> Essence:
        """Everything that is stored, without times, names of sessions and numbers of attempts."""
        found = {}
        keys: Any = self.redis.keys()
        for key in sorted(keys):
            kind: Any = self.redis.type(key)
            content: Any = _READ[kind](self.redis, key)
            found[key.decode()] = sorted(TIME_MS.sub("T", str(item)) for item in content)
            if kind == b"stream":
                groups: Any = self.redis.xinfo_groups(key)
                # What is pending is a hint for the next projector, and no truth.
                found[f"groups of {key.decode()}"] = [
                    f"{group['name']} {group['last-delivered-id']}" for group in groups
                ]
        tables = [name for (name,) in self.side.rows(TABLES)]
        found["tables"] = [re.sub(r"\d+", "N", name) for name in tables]
        # When somebody last compared is a note for people: whose note is not taken says so, and has done the work.
        for table in (name for name in tables if "_sale" not in name and name != "comparison"):
            query = sql.SQL("SELECT row_to_json(t) FROM {} t").format(sql.Identifier(table))
            found[table] = sorted(_told(table, row) for (row,) in self.side.postgres.execute(query))
        return found

    def drop(self) -> None:
        """Leave nothing behind."""
        self._side.close()
        for name in (self.database, *self._made.values()):
            self._drop(name)

    def _copy(self, template: str, name: str) -> None:
        self._drop(name)
        wait_until(lambda: self._sessions(template) == 0, 20, f"nobody uses {template}")
        # A copy of files, where that is known: the servers of the tests need not survive a crash of the machine.
        how = b"STRATEGY file_copy" if self.admin.info.server_version >= 150_000 else b""
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(template)
        )
        self.admin.execute(create.as_bytes() + b" " + how)

    def _drop(self, name: str) -> None:
        self.admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _sessions(self, database: str, but: int = 0) -> int:
        ((count,),) = self.admin.execute(SESSIONS, (database, but)).fetchall()
        return int(count)

    def _next_transaction(self) -> int:
        ((number,),) = self.admin.execute(NEXT_TRANSACTION).fetchall()
        return int(number)


_READ: dict[bytes, Callable[[redis.Redis, bytes], Any]] = {
    b"hash": lambda client, name: client.hgetall(name).items(),
    b"zset": lambda client, name: client.zrange(name, 0, -1, withscores=True),
    b"stream": lambda client, name: client.xrange(name),
    b"string": lambda client, name: [client.get(name)],
}


def _told(table: str, row: dict[str, Any]) -> str:
    """A row without what differs from run to run; the events of the archive as text."""
    if "body" in row:
        row["body"] = bytes.fromhex(row["body"][2:]).decode(errors="replace")
    told = {name: value for name, value in row.items() if name not in VOLATILE}
    if told.get("archived_at"):
        told["archived_at"] = "T"
    if table in ("projection", "replay_table"):  # tables are numbered by the run that made them
        told = {name: re.sub(r"\d+", "N", str(value)) for name, value in told.items()}
    return TIME_MS.sub("T", json.dumps(told, sort_keys=True))


def in_epoch_two(essence: Essence) -> Essence:
    """The same as if the log had been founded anew but once: each attempt to do so takes an epoch."""
    heads = [item for part, items in essence.items() if part.endswith(":sale") for item in items]
    epoch = next((found[1] for item in heads if (found := re.fullmatch(r"\(b'epoch', b'(\d)'\)", item))), "1")
    if epoch < "3":
        return essence
    place = re.compile(rf"(?<!\d){epoch}(?=-\d)|(?<=epoch\": ){epoch}|(?<=b'epoch', b'){epoch}")
    return {part: sorted(place.sub("2", item) for item in items) for part, items in essence.items()}


def assert_books_add_up(side: ReadSide, sale: str) -> None:
    """Archive and stream are one gapless log, which adds up to the hot state."""
    (shard,) = (shard for shard in side.shards() if shard.sale == sale)
    archived = dict(side.archive(shard))
    streamed = {entry.position: entry.body or b"" for entry in side.entries(shard)}
    assert {at: archived[at] for at in streamed if at in archived} == {
        at: body for at, body in streamed.items() if at in archived
    }
    assert side.checkpoint(shard) == max(archived, default=START)
    log = archived | streamed
    folded: ShardState = fold([(at, decode(log[at])) for at in sorted(log)])
    if streamed:
        assert side.client.snapshot(sale, everything=True).state == folded

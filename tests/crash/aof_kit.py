"""A Redis that recorded where in its append-only file each script ends, and servers that start on a part of that file.

with Recorded.like(server, directory) as recorded:
    recorded.run("reserve", *arguments)
    recorded.stop()
    with recorded.started_on(cut_at, directory) as shard:   # the file ends after so many bytes
        shard.dump() == recorded.expected(cut_at).dump
"""

from __future__ import annotations

import shutil
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

import redis

from tests.fixtures.private_redis import PrivateRedis
from tests.lua.kit import Argument, Dump, Shard

#: Where Redis 7 and Valkey keep a server's append-only files, and the one that grows.
FOLDER, GROWING = "appendonlydir", "appendonly.aof.1.incr.aof"


class Written(NamedTuple):
    """What one call left."""

    #: of the script, or of a raw command
    name: str
    #: bytes of the append-only file when the reply was there
    end: int
    #: everything the server held then
    dump: Dump


class Recorded:
    """One server, and everything that was ever written on it. Calls that write nothing leave no record."""

    def __init__(self, server: PrivateRedis) -> None:
        self._server = server
        self._file = server.directory / FOLDER / GROWING
        server.start()
        self.shard = Shard(server.url)
        self.written: list[Written] = []

    @classmethod
    def like(cls, other: redis.Redis, directory: Path) -> Self:
        """The same program as that of a server that runs; skips the test when it is not on this machine."""
        directory.mkdir()
        return cls(PrivateRedis.like(other, directory))

    def run(self, name: str, *arguments: Argument) -> None:
        """Have a script write."""
        self.shard.run(name, *arguments)
        self._note(name)

    def command(self, *command: Argument) -> None:
        """Have a raw command write."""
        self.shard.redis.execute_command(*command)
        self._note(str(command[0]))

    def stop(self) -> None:
        """End it as a power cut does."""
        self.shard.redis.close()
        self._server.kill()

    def begin_of(self, number: int) -> int:
        """Where in the file the record of that index begins."""
        return self.written[number - 1].end if number else 0

    def expected(self, cut_at: int) -> Dump:
        """What the last call left that is whole before that byte."""
        whole = bisect_right(self.written, cut_at, key=lambda written: written.end)
        return self.written[whole - 1].dump if whole else {}

    @contextmanager
    def started_on(self, cut_at: int, directory: Path) -> Iterator[Shard]:
        """A server of the same program, on the first bytes of the file."""
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        shutil.copytree(self._server.directory / FOLDER, directory / FOLDER)
        with (directory / FOLDER / GROWING).open("r+b") as file:
            file.truncate(cut_at)
        with self.started_again(directory) as shard:
            yield shard

    @contextmanager
    def started_again(self, directory: Path) -> Iterator[Shard]:
        """A server of the same program, on what an earlier one left; killed in the end."""
        with PrivateRedis(directory, self._server.program) as server:
            server.start()
            with Shard(server.url) as shard:
                yield shard

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _note(self, name: str) -> None:
        end = self._file.stat().st_size
        if end > self.begin_of(len(self.written)):
            self.written.append(Written(name, end, self.shard.dump()))
